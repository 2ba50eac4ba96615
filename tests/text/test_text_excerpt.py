"""The beginning of a corpus: so many characters, and nothing else is read or fetched."""

from dataclasses import dataclass

from tl_search.text.corpus import Corpus
from tl_search.text.excerpt import Excerpt


@dataclass(frozen=True)
class Digits(Corpus):
    """1000 documents, which must not be read to the end."""

    far: bool = False
    network: bool = True

    @property
    def remote(self):
        return "digits" if self.far else None

    def documents(self):
        assert not self.far or not self.network, "downloaded"
        for number in range(1000):
            assert number < 1000 - 1, "read to the end"
            yield f"{number:03}"

    def glimpse(self, count):
        if not self.network:
            raise ConnectionError("no network")
        return [f"{number:03}" for number in range(min(count, 1000))], 1000


def test_it_ends_with_the_document_that_fills_it_cut_to_size():
    assert list(Excerpt(Digits(), 8).documents()) == ["000", "001", "00"]


def test_of_a_corpus_that_is_far_away_only_the_beginning_is_fetched():
    for characters in (8, 2000):  # more than the first documents that are asked for have
        assert (
            "".join(Excerpt(Digits(far=True), characters).documents())
            == "".join(f"{number:03}" for number in range(700))[:characters]
        )


def test_without_network_a_copy_on_this_machine_is_read():
    assert list(Excerpt(Digits(far=True, network=False), 6).documents()) == ["000", "001"]
