"""One vocabulary for options, wherever they are declared: the configuration's sections and each kind of provider.

Owns how an option is said once (`option.py`: name, type, default, sentence, whether it is secret), the
types an option can have (`types.py`), and what is never printed (`secret.py`). Imports nothing of
`identity` or `providers`; both import it. Pure, but for paths, which are only named.
"""
