"""What a proxy or an application asks about a browser's request, and what it is answered.

    requests   from header lines to a `Check`
    answers    from a `Verdict` to a status, header lines and JSON
    targets    the address the browser asked for, and where a verdict leads
    peers      who is believed about a request that is not its own

Every file is pure, so that `/auth` is one thing, whichever listener serves it. Must not know a
listener: it is given header lines, and gives header lines back.
"""
