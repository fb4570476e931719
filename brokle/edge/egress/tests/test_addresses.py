from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokle.edge.egress.addresses import Reach, embedded, is_metadata, reach

FORBIDDEN = [
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "169.254.169.254",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "100.100.100.200",
    "::",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",
    "2002:a9fe:a9fe::",
    "2001:db8::1",
    "2001:0:a9fe:a9fe::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "4000::1",
    "2606:4700::5efe:a9fe:a9fe",
]
PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fd00::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_special_and_metadata_addresses_are_forbidden(text):
    assert reach(ip_address(text)) is Reach.FORBIDDEN


@pytest.mark.parametrize("text", PRIVATE)
def test_private_addresses_are_private_in_every_disguise(text):
    assert reach(ip_address(text)) is Reach.PRIVATE


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_public(text):
    assert reach(ip_address(text)) is Reach.PUBLIC


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_never_makes_it_more_reachable(address):
    number = int(address)
    low = f"{number >> 16:x}:{number & 0xFFFF:x}"
    for text in (f"::ffff:{low}", f"64:ff9b::{low}", f"2002:{low}::"):
        wrapped = ip_address(text)
        assert embedded(wrapped) == (address,)
        assert reach(wrapped) is reach(address)
        assert is_metadata(wrapped) is is_metadata(address)


@given(st.ip_addresses())
def test_nothing_the_standard_library_calls_private_is_public(address):
    wraps = embedded(address) != (address,)
    if not wraps and (address.is_private or address.is_multicast or address.is_reserved or address.is_link_local):
        assert reach(address) is not Reach.PUBLIC
