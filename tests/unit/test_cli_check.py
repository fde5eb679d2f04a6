"""`check-config`: one line for each thing the daemon would use, and what to do about it."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from identity.cli import cli
from tests.support.certificates import Authority
from tests.support.configuration import APP_SECRET
from tests.support.memcached import MemcachedNode

GITHUB = "[provider:github]\nkind = github\nclient_id = me\nclient_secret = 0123456789ab\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a key ring."""
    CliRunner().invoke(cli, ["keys", "new", "--file", str(tmp_path / "identityd.keys")], catch_exceptions=False)
    return tmp_path


def check(folder: Path, text: str, *options: str) -> tuple[int, list[str]]:
    """Return exit code and lines for a configuration."""
    file = folder / "identityd.ini"
    file.write_text(text)
    file.chmod(0o600)
    result = CliRunner().invoke(cli, ["check-config", "--config", str(file), *options], catch_exceptions=False)
    return result.exit_code, result.output.splitlines()


def about(lines: list[str], word: str) -> str:
    """Return the one line about something."""
    (found,) = (line for line in lines if word in line)
    return found


def test_a_configuration_in_order_is_confirmed_line_by_line(folder: Path) -> None:
    """An operator sees what was looked at, not only that nothing was found."""
    app = f"[app:wiki]\nsecret = {APP_SECRET}\nhosts = wiki.localhost:8000\nallow = group:staff\n"
    code, lines = check(folder, f"{GITHUB}{app}")
    assert code == 0
    assert all(line.startswith("ok ") for line in lines)
    assert "1; 1 signs" in about(lines, "key ring")
    assert "will be made at the first start" in about(lines, "account file")
    assert about(lines, "application wiki").endswith("on wiki.localhost:8000")
    assert "http://localhost:8887/login/github/callback" in about(lines, "provider github")


def test_problems_of_the_configuration_are_all_there_with_exit_code_2(folder: Path) -> None:
    """The same sentences `serve` gives."""
    code, lines = check(folder, "[server]\nport = x\n[sesions]\n")
    assert code == 2
    assert [line.split("  ", 1)[0] for line in lines] == ["problem", "problem"]


def test_warnings_are_shown_and_are_no_failure(folder: Path) -> None:
    """A pipeline that runs the check must not stop for them."""
    code, lines = check(folder, "")
    assert code == 0
    assert about(lines, "nobody can log in").startswith("warning ")


def test_a_file_that_is_no_database_is_found_before_the_start(folder: Path) -> None:
    """A wrong path must not be overwritten, and its content not be shown."""
    (folder / "identityd.sqlite").write_text("dear diary")
    code, lines = check(folder, GITHUB)
    assert code == 2
    assert "is not a SQLite database" in about(lines, "[sqlite] file")
    assert "diary" not in "".join(lines)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(84)])
def test_an_account_file_that_is_there_is_accepted(folder: Path, content: bytes) -> None:
    """The everyday case."""
    (folder / "identityd.sqlite").write_bytes(content)
    code, lines = check(folder, GITHUB)
    assert (code, about(lines, "account file")) == (0, f"ok       account file {folder}/identityd.sqlite")


def test_a_good_memcached_is_confirmed(folder: Path, memcached: list[MemcachedNode]) -> None:
    """Asked over its real protocol."""
    nodes = " ".join(f"n{i}={node.name}" for i, node in enumerate(memcached))
    code, lines = check(folder, f"{GITHUB}[sessions]\nstore = memcached\n[memcached]\nnodes = {nodes}\n")
    assert code == 0
    assert [line.split(":")[0] for line in lines if " memcached n" in line] == [
        f"ok       memcached n{i}=127.0.0.1" for i in range(len(memcached))
    ]
    assert "version 1." in about(lines, "memcached n0")


def test_a_memcached_that_is_down_is_a_problem_with_its_address(folder: Path, memcached: list[MemcachedNode]) -> None:
    """One of several nodes down: the others are confirmed."""
    memcached[1].kill()
    nodes = f"a={memcached[0].name} b={memcached[1].name}"
    code, lines = check(folder, f"{GITHUB}[sessions]\nstore = memcached\n[memcached]\nnodes = {nodes}\n")
    assert code == 2
    assert about(lines, "memcached a=").startswith("ok ")
    assert "connection refused; start it there, or correct [memcached] nodes" in about(lines, "memcached b=")


def test_a_memcached_that_hangs_does_not_hang_the_check(folder: Path, memcached: list[MemcachedNode]) -> None:
    """The time-outs of the configuration hold here too."""
    memcached[0].freeze()
    code, lines = check(folder, f"{GITHUB}[sessions]\nstore = memcached\n[memcached]\nnodes = a={memcached[0].name}\n")
    assert code == 2
    assert "timed out" in about(lines, "memcached a=")


def test_a_memcached_that_evicts_is_warned_about(folder: Path) -> None:
    """A full one would log people out one by one, and no error would say so."""
    with listening(memcached_answers(evictions="on", clock=int(time.time()))) as port:
        code, lines = check(folder, f"{GITHUB}[sessions]\nstore = memcached\n[memcached]\nnodes = a=127.0.0.1:{port}\n")
    assert code == 0
    assert any(line.startswith("warning ") and "start it with -M" in line for line in lines)


def test_a_memcached_whose_clock_is_wrong_is_warned_about(folder: Path) -> None:
    """Records expire by its clock."""
    with listening(memcached_answers(evictions="off", clock=int(time.time()) - 100)) as port:
        code, lines = check(folder, f"{GITHUB}[sessions]\nstore = memcached\n[memcached]\nnodes = a=127.0.0.1:{port}\n")
    assert code == 0
    assert any(line.startswith("warning ") and "follow a time server" in line for line in lines)


@pytest.mark.parametrize("answer", [b"", b"ERROR\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"STAT x\r\n" * 20_000])
def test_something_else_on_the_port_of_a_memcached_is_a_problem(folder: Path, answer: bytes) -> None:
    """A wrong port often has another service on it."""
    with listening(lambda _: answer) as port:
        code, lines = check(folder, f"{GITHUB}[sessions]\nstore = memcached\n[memcached]\nnodes = a=127.0.0.1:{port}\n")
    assert code == 2
    assert about(lines, "memcached a=").startswith("problem ")


def test_offline_asks_nobody(folder: Path) -> None:
    """For a build machine that can reach neither memcached nor providers."""
    text = f"{GITHUB}[sessions]\nstore = memcached\n[memcached]\nnodes = a=127.0.0.1:1\n"
    code, lines = check(folder, text, "--offline")
    assert code == 0
    assert not any(" memcached " in line for line in lines)


def test_offline_says_what_to_register_and_that_it_was_not_asked(folder: Path) -> None:
    """It is needed before the provider would answer, and a line must not look like an answer of its."""
    off = GITHUB.replace("provider:github]", "provider:spare]\nenabled = no")
    _, lines = check(folder, f"[server]\npublic_url = https://login.example\n{GITHUB}{off}", "--offline")
    address = "https://login.example/login/github/callback"
    assert about(lines, "provider github") == (
        f"ok       provider github (GitHub): register {address} there; it was not asked"
    )
    assert about(lines, "provider spare") == "ok       provider spare (GitHub): switched off"


def tls(authority: Authority, *names: str) -> str:
    """Return a configuration with a certificate for these names."""
    issued = authority.issue(*names)
    return (
        f"[server]\npublic_url = https://localhost:8887\ntls_certificate = {issued.certificate}\n"
        f"tls_key = {issued.key}\n{GITHUB}"
    )


def test_a_certificate_is_tried_as_a_browser_would(folder: Path, authority: Authority) -> None:
    """This one is right and ends soon, which is worth a line."""
    code, lines = check(folder, tls(authority, "localhost"))
    assert code == 0
    assert about(lines, "for localhost: valid for 1 more day").startswith("warning ")


def test_a_certificate_of_another_host_is_a_problem(folder: Path, authority: Authority) -> None:
    """Every browser would show a warning page instead of the login."""
    code, lines = check(folder, tls(authority, "other.example.com"))
    assert code == 2
    assert "browsers will refuse it for localhost: hostname mismatch" in about(lines, "tls_certificate")


def test_a_certificate_with_the_key_of_another_is_a_problem(folder: Path, authority: Authority) -> None:
    """A mistake of every renewal by hand."""
    one, two = authority.issue("localhost"), authority.issue("localhost")
    text = (
        f"[server]\npublic_url = https://localhost\ntls_certificate = {one.certificate}\ntls_key = {two.key}\n{GITHUB}"
    )
    code, lines = check(folder, text)
    assert code == 2
    assert "cannot be used together (key values mismatch)" in about(lines, "tls_certificate")


def self_signed(folder: Path, *, days: int) -> str:
    """Return a configuration with a certificate for localhost that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").touch(mode=0o600)
    (folder / "k.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return f"[server]\npublic_url = https://localhost:8887\ntls_certificate = c.pem\ntls_key = k.pem\n{GITHUB}"


def test_a_certificate_that_lasts_is_confirmed(folder: Path) -> None:
    """How long is said, for whoever plans the renewal."""
    code, lines = check(folder, self_signed(folder, days=300))
    assert code == 0
    assert about(lines, "valid for 300 more days").startswith("ok ")


def test_an_expired_certificate_is_a_problem(folder: Path) -> None:
    """Said here before everybody's browser says it."""
    code, lines = check(folder, self_signed(folder, days=-1))
    assert code == 2
    assert "browsers will refuse it for localhost: certificate has expired; renew it" in about(lines, "tls_certificate")


def test_an_encrypted_private_key_is_a_problem_and_asks_for_nothing(folder: Path) -> None:
    """A daemon that waits for a password at a terminal nobody watches looks like one that hangs."""
    text = self_signed(folder, days=300)
    key = serialization.load_pem_private_key((folder / "k.pem").read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"x")
    (folder / "k.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    )
    code, lines = check(folder, text)
    assert code == 2
    assert "the key must not be encrypted" in about(lines, "tls_certificate")


class Discovery(BaseHTTPRequestHandler):
    """Answers `/.well-known/openid-configuration` with what the test put there."""

    document: bytes = b""

    def do_GET(self) -> None:
        """Send the document."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(self.document)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def issuer() -> Iterator[tuple[str, type[Discovery]]]:
    """Give an issuer on loopback and the handler that holds its document."""
    handler = type("Handler", (Discovery,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def oidc(issuer: str) -> str:
    """Return a configuration with this issuer."""
    return (
        f"[outbound]\nallow_networks = 127.0.0.0/8\n[provider:corp]\nkind = oidc\nissuer = {issuer}\nclient_id = a\n"
        "client_secret = 0123456789ab\n"
    )


def discovery(issuer: str) -> bytes:
    """Return a discovery document."""
    return json.dumps(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
    ).encode()


def test_a_providers_discovery_is_fetched(folder: Path, issuer: tuple[str, type[Discovery]]) -> None:
    """A wrong issuer is the most common mistake, and the first person to log in would find it."""
    url, handler = issuer
    handler.document = discovery(url)
    code, lines = check(folder, oidc(url))
    assert (code, about(lines, "provider corp")[:3]) == (0, "ok ")
    assert "/login/corp/callback" in about(lines, "provider corp")


@pytest.mark.parametrize("document", [b"", b"<html>", b"{}", discovery("http://127.0.0.1:1")])
def test_a_provider_that_is_not_what_was_configured_is_a_problem(
    folder: Path, issuer: tuple[str, type[Discovery]], document: bytes
) -> None:
    """Said with the section to look at."""
    url, handler = issuer
    handler.document = document
    code, lines = check(folder, oidc(url))
    assert code == 2
    assert about(lines, "provider corp").startswith("problem  provider corp: ")
    assert "compare [provider:corp]" in about(lines, "provider corp")


def test_a_provider_that_is_switched_off_is_not_asked(folder: Path) -> None:
    """It may have been switched off because it is gone."""
    code, lines = check(folder, oidc("http://127.0.0.1:1") + "enabled = no\n" + GITHUB)
    assert (code, about(lines, "provider corp")) == (0, "ok       provider corp: switched off")


@contextmanager
def listening(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """Answer each message on a port of loopback, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=_serve, args=(server, answer))
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def _serve(server: socket.socket, answer: Callable[[bytes], bytes]) -> None:
    connection, _ = server.accept()
    # The other side may hang up at any moment; that is what some of these answers are for.
    with connection, suppress(OSError):
        while (command := connection.recv(1_024)) and (said := answer(command)):
            connection.sendall(said)


def memcached_answers(*, evictions: str, clock: int) -> Callable[[bytes], bytes]:
    """Answer like a memcached with such settings."""

    def answer(command: bytes) -> bytes:
        if command == b"stats\r\n":
            return f"STAT version 1.6.18\r\nSTAT time {clock}\r\nEND\r\n".encode()
        return f"STAT evictions {evictions}\r\nEND\r\n".encode()

    return answer
