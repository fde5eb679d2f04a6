"""Names no person may choose because strangers would take their owner for the operator.

Owns the list only; operators add to it in the configuration. Three reasons put a name here: it
sounds like authority or a robot, mail standards give it a role (RFC 2142), or it would shadow a
path or file that software looks for. Written folded.
"""

from typing import Final

_AUTHORITY: Final = """
    admin administrator administrators admins anonymous audit auditor billing bot bots ceo community
    compliance contact customer customers daemon demo deleted-user developer developers everybody everyone
    employee fraud guest guests help helpdesk helper hr identityd info intern itsupport kernel legal manager
    member members mod moderator moderators nobody notice notifications official operator operators oncall
    owner payment payments payroll police press privacy public recovery reset root safety sales security
    service services staff sudo superadmin superuser support su sys sysadmin sysop system team tech test
    tester testing trust unknown user username users verified verify you me myself self
"""

_MAIL_ROLES: Final = """
    abuse devnull hostmaster listserv mail mailer mailer-daemon marketing majordomo news newsletter no-reply
    noc noreply postmaster subscribe unsubscribe usenet uucp webmaster
"""

_PATHS: Final = """
    about account accounts api app apps assets auth authorize blog callback cdn config console css dashboard
    dev dns docs download downloads edit errors favicon favicon.ico faq feed files forgot ftp git healthz
    home host hosts http https humans.txt image images imap img index index.html invite js jwks legal-notice
    local localhost login logout metrics new null oauth oauth2 oidc openid pop pop3 proxy password profile
    readyz register robots.txt rss saml session sessions settings signin signout signup sitemap.xml smtp sso
    ssh ssl ssladmin ssladministrator sslwebmaster static status stats terms token undefined upload uploads
    webhook webhooks welcome well-known wpad www xmlrpc
"""

RESERVED: Final = frozenset(f"{_AUTHORITY} {_MAIL_ROLES} {_PATHS}".split())
