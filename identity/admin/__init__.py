"""Admin: what an operator can do with accounts, their identities, their sessions and applications.

    requests   what is asked, by whom and why
    naming     what a text can mean: a username, `provider:id`, an account id             pure
    finding    the account a text names, and everything beside it
    results    what came of it: the answer, or a `Problem` with its code
    shapes     each result as the JSON object that the command line and an API print
    service    the operations; each takes one request and returns one result

Must not know who asks it: no command line, no HTTP, no sentences for people. Invariant: whatever is
changed goes through the account service, so it is audited and refused as anywhere else.
"""
