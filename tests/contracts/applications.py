"""What every store of registered applications does."""

import pytest

from identity.applications.store import ApplicationStore
from identity.types import ClientId, Host
from tests.support.applications import application

WIKI, SHOP, OTHER = (
    application(name, name * 8, hosts=map(Host, hosts))
    for name, hosts in (
        ("wiki", ("wiki.example", "wiki.example:8443")),
        ("shop", ("shop.example",)),
        ("other", ("other.example", "shop.example")),
    )
)


class ApplicationContract:
    """A subclass gives `store`, which holds WIKI, SHOP and OTHER, registered in this order."""

    def test_an_application_is_found_by_its_id(self, store: ApplicationStore) -> None:
        """A program that shows its secret would be refused, or taken for another."""
        assert (store.by_id(ClientId("wiki")), store.by_id(ClientId("other"))) == (WIKI, OTHER)

    @pytest.mark.parametrize("host", WIKI.hosts)
    def test_an_application_is_found_by_each_of_its_hosts(self, store: ApplicationStore, host: Host) -> None:
        """A proxy asks for a host alone: the people of its application would get 403."""
        assert store.by_host(host) is WIKI

    def test_a_host_of_two_applications_is_the_first_ones(self, store: ApplicationStore) -> None:
        """Which settings count on a shared host must not depend on where a store keeps what."""
        assert store.by_host(Host("shop.example")) is SHOP

    def test_what_is_not_registered_is_absent(self, store: ApplicationStore) -> None:
        """A host of nobody's, or a port that was not registered, must not open a session's check."""
        assert store.by_id(ClientId("nobody")) is None
        assert {store.by_host(Host(host)) for host in ("", "example", "wiki.example:80", "x.wiki.example")} == {None}

    def test_all_are_listed_in_their_order(self, store: ApplicationStore) -> None:
        """An operator reads the list beside the configuration."""
        assert list(store.all()) == [WIKI, SHOP, OTHER]
