import pytest

from brokle.kernel import extensions, features
from brokle.kernel.extensions import Collector, NavigationItem, Policy, UnableToExtend

pytestmark = pytest.mark.modes


@pytest.fixture
def unlicensed():
    with features.licence_plugged(None):
        yield


@pytest.fixture
def licensed():
    with features.licence_plugged(lambda _feature, organization_id: organization_id == "org_paying"):
        yield


def test_contributions_come_in_order_and_only_once():
    with (
        extensions.navigation.plugged("late", NavigationItem("late", "Late", "x"), order=9000),
        extensions.navigation.plugged("later", NavigationItem("later", "Later", "x"), order=9001),
    ):
        keys = [item.key for item in extensions.navigation.collect()]
        with pytest.raises(UnableToExtend, match="already has 'late'"):
            extensions.navigation.register("late", NavigationItem("late", "Late", "x"))

    assert keys[-2:] == ["late", "later"]
    assert "late" not in [item.key for item in extensions.navigation.collect()]


def test_a_wrong_type_is_refused_at_registration():
    with pytest.raises(UnableToExtend, match="takes NavigationItem, not str"):
        extensions.navigation.register("wrong", "a string")


def test_a_features_contribution_shows_only_where_it_is_granted(licensed):
    item = NavigationItem("sso", "SSO", "x")
    with extensions.navigation.plugged("sso", item, feature="sso"):
        assert item in extensions.navigation.collect("org_paying")
        assert item not in extensions.navigation.collect("org_other")


def test_a_policy_falls_back_to_its_default_where_the_feature_is_not_granted(licensed):
    policy = object.__new__(Policy)
    policy.name, policy.meaning, policy._default, policy._override = "test", "For this test.", "default", None

    with policy.plugged("ee", "replacement", feature="rbac"):
        assert policy.choose("org_paying") == "replacement"
        assert policy.choose("org_other") == "default"
        with pytest.raises(UnableToExtend, match="already replaced by 'ee'"):
            policy.register("second", "another")


@pytest.mark.parametrize("point", [p for p in extensions.points() if isinstance(p, Collector)], ids=lambda p: p.name)
def test_every_collector_takes_a_fake_and_gives_it_back(point):
    fake = object.__new__(point._kind)
    with point.plugged("fake", fake, order=-1):
        assert point.collect()[0] is fake


def test_every_point_says_what_it_is_for():
    assert all(point.meaning.endswith(".") for point in extensions.points())
    assert {type(point) for point in extensions.points()} == {Collector, Policy}


def test_without_a_licence_nothing_is_granted(unlicensed):
    assert features.granted("sso", "org_paying") is False
    with pytest.raises(ValueError, match="unknown feature"):
        features.granted("teleport")
