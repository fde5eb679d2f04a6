"""Certificates for nodes and their clients, below the authority of the run."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The archive is written where nothing is installed that makes certificates.
    from tests.support.certificates import Authority, Certificate


@dataclass(frozen=True, slots=True)
class ServerTls:
    """How nodes encrypt what clients say; with `client` they also demand a certificate of them."""

    keystore: Path
    ca_file: Path
    client: "Certificate | None"

    def settings(self) -> dict[str, object]:
        """Return `client_encryption_options` of cassandra.yaml."""
        demands: dict[str, object] = {"truststore": str(self.ca_file)} if self.client else {}
        return {
            "enabled": True,
            "optional": False,
            # Reads PEM, so that no keystore of Java's own has to be made.
            "ssl_context_factory": {"class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory"},
            "keystore": str(self.keystore),
            "require_client_auth": self.client is not None,
            "accepted_protocols": ["TLSv1.2", "TLSv1.3"],
            **demands,
        }

    def client_context(self, *, with_certificate: bool = True) -> ssl.SSLContext:
        """Return a context that trusts the nodes and, where they demand one, shows a certificate."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.client and with_certificate:
            context.load_cert_chain(self.client.certificate, self.client.key)
        return context


def server_tls(authority: "Authority", hosts: tuple[str, ...], *, mutual: bool) -> ServerTls:
    """Issue a certificate for all these hosts and, if `mutual`, one that their clients must show."""
    server = authority.issue(*hosts)
    keystore = server.key.with_suffix(".keystore")
    keystore.touch(mode=0o600)
    keystore.write_bytes(server.key.read_bytes() + server.certificate.read_bytes())
    return ServerTls(keystore, authority.ca_file, authority.issue_client("identityd") if mutual else None)
