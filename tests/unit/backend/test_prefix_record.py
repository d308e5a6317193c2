"""What is surely cached: whole blocks, used lately, counted from the start of the prompt."""

from triton_backend.llm.engines.prefix_record import BLOCK_TOKENS, PrefixRecord

IDS = list(range(3 * BLOCK_TOKENS))


def test_whole_blocks_count_and_the_last_token_never_does() -> None:
    record = PrefixRecord(num_blocks=100)
    record.remember(IDS[:-1], used_at=0)

    assert record.known_tokens(IDS, now=0) == 2 * BLOCK_TOKENS
    assert record.known_tokens(IDS[: 2 * BLOCK_TOKENS], now=0) == 2 * BLOCK_TOKENS - 1
    assert record.known_tokens([], now=0) == 0


def test_the_same_block_after_another_is_another_block() -> None:
    record = PrefixRecord(num_blocks=100)
    record.remember(IDS, used_at=0)

    assert record.known_tokens([*IDS[BLOCK_TOKENS:], 1], now=0) == 0
    assert record.known_tokens([*IDS[:BLOCK_TOKENS], *IDS], now=0) == BLOCK_TOKENS


def test_half_a_cache_later_a_block_is_not_sure_any_more() -> None:
    record = PrefixRecord(num_blocks=100)
    record.remember(IDS, used_at=10)

    assert record.known_tokens(IDS, now=59) > 0
    assert record.known_tokens(IDS, now=60) == 0


def test_a_block_counts_from_its_latest_use_whoever_ends_last() -> None:
    record = PrefixRecord(num_blocks=100)
    record.remember(IDS, used_at=40)
    record.remember(IDS, used_at=0)

    assert record.known_tokens(IDS, now=60) > 0


def test_no_more_blocks_are_remembered_than_can_be_sure() -> None:
    record = PrefixRecord(num_blocks=4)
    record.remember(IDS, used_at=0)

    assert record.known_tokens(IDS, now=0) == 0  # its first block was the oldest


def test_nothing_is_known_once_all_is_forgotten() -> None:
    record = PrefixRecord(num_blocks=100)
    record.remember(IDS, used_at=0)

    record.forget_all()

    assert record.known_tokens(IDS, now=0) == 0
