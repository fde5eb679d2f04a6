"""The section `[cassandra]`: what it reads, what refuses to start, and what is warned about."""

from pathlib import Path

import pytest

from identity import config, keyring
from identity.config.values import ContactPoint
from identity.errors import ConfigError
from identity.stores.cassandra.settings import Consistency, SerialConsistency
from options.secret import Secret
from tests.support.configuration import problems_of

PROVIDER = "[provider:x]\nkind = github\nclient_id = me\nclient_secret = 0123456789ab\n"
STORE = "[accounts]\nstore = cassandra\n"
CLUSTER = f"{STORE}[cassandra]\ncontact_points = 127.0.0.1\nlocal_data_centre = dc1\n"
FAR = CLUSTER.replace("127.0.0.1", "127.0.0.1 10.0.0.5")
LOGIN = "username = identityd\npassword = pw\n"


def warnings_of(text: str) -> tuple[str, ...]:
    """Return the warnings of a configuration that somebody can log in with."""
    return config.parse(text + PROVIDER, base=Path()).warnings


def test_a_cluster_is_two_lines() -> None:
    """The defaults are the safe choice: a majority in the data centre, names unique across all of them."""
    given = config.parse(CLUSTER, base=Path()).cassandra

    assert given == config.CassandraSection(contact_points=(ContactPoint("127.0.0.1", 9042),), local_data_centre="dc1")
    assert given.keyspace == "identityd"
    assert given.consistency is Consistency.LOCAL_QUORUM
    assert given.serial_consistency is SerialConsistency.SERIAL
    assert (given.timeout_ms, given.connect_timeout_ms, given.audit_days) == (3000, 2000, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db1.internal", ContactPoint("db1.internal", 9042)),
        ("DB1.internal:9142", ContactPoint("db1.internal", 9142)),
        ("10.0.0.5:1", ContactPoint("10.0.0.5", 1)),
        ("[::1]", ContactPoint("::1", 9042)),
        ("[fd00::1]:9142", ContactPoint("fd00::1", 9142)),
    ],
)
def test_the_port_of_a_node_may_be_left_out(text: str, expected: ContactPoint) -> None:
    """Nearly every cluster listens on the usual one."""
    given = config.parse(f"[cassandra]\ncontact_points = {text}\n", base=Path()).cassandra

    assert given.contact_points == (expected,)


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ("contact_points = ::1", "contact_points"),
        ("contact_points = db1:", "contact_points"),
        ("contact_points = db1:0", "contact_points"),
        ("contact_points = db1:70000", "contact_points"),
        ("contact_points = one=db1:9042", "contact_points"),
        ("contact_points = db1 db1:9042", "contact_points"),
        ("keyspace = Identityd", "keyspace"),
        ("keyspace = 1identityd", "keyspace"),
        ("keyspace = identityd; drop", "keyspace"),
        (f"keyspace = {'k' * 49}", "keyspace"),
        ("username = identityd", "password"),
        ("password = pw", "username"),
        (f"username = identityd\npassword = {'p' * 4_097}", "password"),
        ("tls_ca = ca\ntls_certificate = c", "tls_key"),
        ("tls_ca = ca\ntls_key = k", "tls_certificate"),
        ("tls_certificate = c\ntls_key = k", "tls_ca"),
        ("consistency = one", "consistency"),
        ("serial_consistency = quorum", "serial_consistency"),
        ("timeout_s = 0", "timeout_s"),
        ("connect_timeout_s = 61", "connect_timeout_s"),
        ("audit_days = -1", "audit_days"),
        ("audit_days = 36501", "audit_days"),
    ],
)
def test_what_no_cluster_can_be_asked_with_refuses_to_start(options: str, place: str) -> None:
    """Otherwise the first sign-up finds it."""
    found = problems_of(f"[cassandra]\n{options}\n")

    assert [problem.partition(": ")[0] for problem in found] == [f"[cassandra] {place}"]


def test_the_store_needs_a_node_and_a_data_centre() -> None:
    """Guessed, the nearest data centre would be whichever answers first, and every read could cross an ocean."""
    found = problems_of(STORE)

    assert [problem.partition(": ")[0] for problem in found] == [
        "[cassandra] contact_points",
        "[cassandra] local_data_centre",
    ]


@pytest.mark.parametrize(
    "options",
    [
        LOGIN,
        "tls_ca = ca\n",
        f"tls_ca = ca\ntls_certificate = c\ntls_key = k\n{LOGIN}",
        "username = identityd\npassword = pässword with spaces\n",
        f"keyspace = {'k' * 48}\naudit_days = 36500\nserial_consistency = local-serial\nconsistency = quorum\n",
    ],
)
def test_what_is_right_starts(options: str) -> None:
    """A database's password was chosen elsewhere, and a refusal too many makes operators switch checks off."""
    assert problems_of(f"{CLUSTER}{options}") == ()


def test_the_password_is_hidden_and_among_the_secrets_the_log_blots_out() -> None:
    """It opens every account, and a driver's error may quote what it was given."""
    read = config.parse(f"{CLUSTER}username = identityd\npassword = canary-pw\n", base=Path())

    assert [secret.text() for secret in read.secrets()] == ["canary-pw"]
    assert "canary" not in repr(read)
    assert "canary" not in "".join(problems_of("[cassandra]\npassword = canary\n"))


def test_the_password_can_come_from_the_environment() -> None:
    """Where the configuration is in version control, it has to."""
    text = f"{CLUSTER}username = identityd\n"
    read = config.parse(text, base=Path(), environ={"IDENTITYD_CASSANDRA_PASSWORD": "pw"})

    assert read.cassandra.password is not None
    assert read.cassandra.password.text() == "pw"


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (FAR, "[cassandra] tls_ca: is empty, so every account travels readable"),
        (FAR + LOGIN, "[cassandra] tls_ca: is empty, so the password and every account travel readable"),
        (CLUSTER.replace(STORE, ""), "[cassandra] contact_points: are not used"),
    ],
)
def test_what_is_allowed_and_probably_not_meant_is_said(text: str, warning: str) -> None:
    """A network that can be listened to, and a cluster nobody asks, both look as if they worked."""
    (found,) = warnings_of(text)

    assert found.startswith(warning)


@pytest.mark.parametrize("text", [CLUSTER + LOGIN, f"{FAR}{LOGIN}tls_ca = ca\n"])
def test_a_cluster_nobody_can_listen_to_has_no_warning(text: str) -> None:
    """Warnings that are always there are not read."""
    assert warnings_of(text) == ()


def file_problems(folder: Path, text: str) -> tuple[str, ...]:
    """Return the problems of a configuration with the files it names, in a folder with a key ring."""
    ring = keyring.new_ring(secret=Secret(bytes(range(32))), locator=Secret(bytes(range(1, 33))), now=0)
    for name, content in (("identityd.keys", ring.render()), ("identityd.ini", text)):
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    try:
        config.load(folder / "identityd.ini", environ={})
    except ConfigError as error:
        return error.problems
    return ()


FILES = "[cassandra]\ntls_ca = ca.pem\ntls_certificate = c.pem\ntls_key = k.pem\n"
IN_USE = FILES.replace("[cassandra]\n", CLUSTER)


def test_files_for_the_connection_that_are_not_there_are_all_reported(tmp_path: Path) -> None:
    """The driver would name none of them, only a handshake that failed."""
    found = file_problems(tmp_path, IN_USE)

    assert [problem.partition(": ")[0] for problem in found] == [
        "[cassandra] tls_ca",
        "[cassandra] tls_certificate",
        "[cassandra] tls_key",
    ]


def test_a_private_key_everybody_can_read_is_refused(tmp_path: Path) -> None:
    """Whoever reads it can be the daemon before the cluster."""
    for name in ("ca.pem", "c.pem", "k.pem"):
        (tmp_path / name).write_text("-")
        (tmp_path / name).chmod(0o644)

    (found,) = file_problems(tmp_path, IN_USE)

    assert found.startswith(f"[cassandra] tls_key: {tmp_path}/k.pem can be read or changed by everybody")


def test_no_file_is_asked_for_when_accounts_are_elsewhere(tmp_path: Path) -> None:
    """An unused option cannot be wrong."""
    assert file_problems(tmp_path, FILES) == ()
