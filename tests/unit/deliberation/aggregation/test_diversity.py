import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.aggregation.diversity import MAX_TOKENS, measure_diversity

FOX = "The quick brown fox jumps over the lazy dog"


def distance(one: str, other: str) -> float | None:
    return measure_diversity({"a": one, "b": other}).mean_distance


class TestDistance:
    @pytest.mark.parametrize(
        ("one", "other", "expected"),
        [
            (FOX, FOX.upper() + "!", 0.0),
            (FOX, "Nothing of the kind was ever seen", 1.0),
            (FOX, "The quick brown fox", 1 - 2 / 7),
            ("a b c d", "a b c e", 1 - 1 / 3),
            ("a b c d e", "z b c d e", 0.5),
            ("a b c", "a x c", 1.0),
            ("yes", "Yes.", 0.0),
            ("yes", "no", 1.0),
            ("", "", 0.0),
            ("", "a b c", 1.0),
            ("我们应该使用数据库", "我们应该使用数据库。", 0.0),
            ("一二三四", "一二三五", 1 - 1 / 3),
        ],
    )
    def test_it_is_the_share_of_word_sequences_not_in_common(self, one: str, other: str, expected: float) -> None:
        assert distance(one, other) == pytest.approx(expected)

    def test_it_is_the_mean_over_all_pairs(self) -> None:
        assert measure_diversity({"a": FOX, "b": FOX, "c": "no"}).mean_distance == pytest.approx(2 / 3)

    def test_of_one_text_it_is_not_defined(self) -> None:
        assert measure_diversity({"a": FOX}).mean_distance is None
        assert measure_diversity({}).clusters == ()

    def test_the_beginning_of_a_long_text_speaks_for_it(self) -> None:
        words = " ".join(map(str, range(MAX_TOKENS)))
        assert distance(words, words + " " + FOX) == 0


class TestClusters:
    def test_near_copies_stand_together(self) -> None:
        texts = {"a": FOX, "b": "Something else entirely, you see", "c": FOX + " today", "d": "And a third one, too"}
        assert measure_diversity(texts).clusters == (("a", "c"), ("b",), ("d",))

    def test_chains_join(self) -> None:
        """The first and the last have less than half in common, but the middle one is near to both."""
        texts = {"a": "1 2 3 4 5 6 7", "b": "3 4 5 6 7 8 9", "c": "2 3 4 5 6 7 8"}
        assert distance(texts["a"], texts["b"]) > 0.5  # type: ignore[operator]
        assert measure_diversity(texts).clusters == (("a", "b", "c"),)

    def test_two_chains_that_meet_are_one(self) -> None:
        texts = {"a": "1 2 3 4 5", "z": "1 2 3 4 5 6", "b": "1 2 3 4 5 6 7 8", "y": "1 2 3 4 5 6 7"}
        assert measure_diversity(texts).clusters == (("a", "b", "y", "z"),)


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([FOX, FOX + " now", "no", "a b c d"])), st.data())
def test_the_order_of_texts_plays_no_part(texts: dict[str, str], data: st.DataObject) -> None:
    other = dict(data.draw(st.permutations(list(texts.items()))))
    found = measure_diversity(texts)
    assert measure_diversity(other) == found
    assert sorted(name for cluster in found.clusters for name in cluster) == sorted(texts)


def test_texts_with_half_of_their_sequences_in_common_say_the_same() -> None:
    assert measure_diversity({"a": "a b c d e", "b": "z b c d e"}).clusters == (("a", "b"),)
    assert measure_diversity({"a": "a b c d", "b": "z b c d"}).clusters == (("a",), ("b",))
