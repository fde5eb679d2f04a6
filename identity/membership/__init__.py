"""Who a logged-in person is to those who decide about entry: groups, and what a provider said of them.

    facts    what providers say, spelt `provider/name=value`
    rules    words of the configuration that hold of a person, or do not
    groups   a person's groups: those an operator keeps, and those the configuration derives from facts

Every file is pure. Must not know sessions, accounts, applications or where a fact comes from.
"""
