"""Tiny models of every kind, for the laws that each of them must keep.

Their parameters are moved by noise: output projections start at zero, which would hide what a layer does wrong.
"""

import contextlib
import itertools
import resource
import signal

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, settings

import tavu
from tavu.config import FixedPatchConfig, LevelConfig, MLPStackConfig, TransformerConfig, WordPatchConfig
from tavu.data.tales import tell_many
from tavu.engine import native
from tavu.model.designs import build_model
from tavu.model.interface import Model
from tavu.model.words.embedders import UNUSED
from tavu.model.words.read import word_features
from tavu.vocabulary import END, MARK_ID, NUM_IDS

settings.register_profile("tavu", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tavu")

TEXT = (
    b"Once upon a time, there was a little girl called Mia. She had a red ball - and she was happy!\n"
    b'"Hyv\xc3\xa4\xc3\xa4 y\xc3\xb6t\xc3\xa4," sanoi 3 pient\xc3\xa4 karhua; \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e \xf0\x9f\x90\xbb... '
    b"Then incomprehensibilities came, one after another, to the little house by the sea."
)
CONTEXT = 48

_GLOBAL, _LOCAL = LevelConfig(16, 2, 2, 32, 4), LevelConfig(8, 1, 1, 16)
_COARSE, _FINE = LevelConfig(24, 1, 2, 32, 12), LevelConfig(16, 1, 2, 32, 4)
_WORD_LEVELS = (TransformerConfig(16, 2, 2, 32), MLPStackConfig(8, 2, 16))

CONFIGS = {
    "two levels": FixedPatchConfig((_GLOBAL, _LOCAL), CONTEXT),
    "three levels": FixedPatchConfig((_COARSE, _FINE, _LOCAL), CONTEXT),
    "conv": FixedPatchConfig((_GLOBAL, _LOCAL), CONTEXT, conv_encoder=True),
    "cross": FixedPatchConfig((_GLOBAL, _LOCAL), CONTEXT, cross_patch_bytes=3),
    "conv, cross, three levels": FixedPatchConfig((_COARSE, _FINE, _LOCAL), CONTEXT, conv_encoder=True, cross_patch_bytes=4),
    "words": WordPatchConfig(
        _WORD_LEVELS,
        CONTEXT,
        word_rows=64,
        pair_rows=32,
        prefix_rows=128,
        ngram_orders=(3, 5),
        ngram_rows=64,
        phrase_orders=(1, 2),
        phrase_rows=64,
        lexicon_words=40,
        pointer_dim=8,
    ),
    "words, capped": WordPatchConfig(_WORD_LEVELS, CONTEXT, max_patch_size=5, word_rows=64, prefix_rows=128, ngram_orders=(), ngram_rows=2),
}


def noisy_model(config, *, seed: int = 0, noise: float = 0.3) -> Model:
    torch.manual_seed(seed)
    model = build_model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * noise)
    if isinstance(config, WordPatchConfig) and not parameter.is_meta:
        know_words(model)
        if config.phrase_orders:
            know_phrases(model)
    return model.eval()


def know_words(model: Model) -> None:
    """Give words of TEXT rows of their own, and put them in the lexicon, each with some place left free."""
    known = model.word_embedder.known
    hashes = word_features(torch.tensor([[END, *TEXT]]), model.config).last_word.unique()[: max(1, len(known) - 3)]
    known[: len(hashes)] = hashes
    if model.lexicon is None:
        return
    cap = model.config.max_patch_size
    words = sorted({(word + b" ")[:cap] for word in TEXT.split()} | {b"a", b"\0", b' "'})[: len(model.lexicon.lengths) - 3]
    for i, word in enumerate(words):
        model.lexicon.spellings[i, : len(word)] = torch.tensor(list(word), dtype=torch.uint8)
        model.lexicon.lengths[i] = len(word)
    model.lexicon.build_tree()


def know_phrases(model: Model) -> None:
    """Give some rows of phrases to phrases of TEXT, and leave others nobody's."""
    words = word_features(torch.tensor([[END, *TEXT]]), model.config)
    embedder, num = model.byte_embedder, len(model.config.phrase_orders)
    rows, fingerprints = words.byte_rows[0, ::2, -num:] - embedder.unknown[0], words.byte_fingerprints[0, ::2, -num:]
    embedder.phrase_fingerprints[rows.flatten()] = fingerprints.flatten().int()
    embedder.phrase_fingerprints[[unknown - embedder.unknown[0] for unknown in embedder.unknown]] = UNUSED


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def configs():
    return CONFIGS


@pytest.fixture(scope="session")
def make_model():
    """The function config -> model with parameters moved by noise; seed and noise are its options."""
    return noisy_model


@pytest.fixture(scope="session", params=CONFIGS)
def model(request) -> Model:
    """Each kind of model in turn, CONTEXT bytes of context."""
    return noisy_model(CONFIGS[request.param])


@pytest.fixture(scope="session", params=["conv, cross, three levels", "words"])
def either_model(request) -> Model:
    """One model with fixed patches and one with words, for laws that do not depend on the rest."""
    return noisy_model(CONFIGS[request.param])


@pytest.fixture(scope="session")
def make_ids():
    """The function (rows, T) -> ids (rows, T) of text, each row from another place, with ENDs, a byte 0 and a mark among them."""

    def ids_of_text(rows: int, num_ids: int):
        text = TEXT * (1 + (rows * 37 + num_ids) // len(TEXT))
        ids = torch.tensor([[END, *text[row * 37 : row * 37 + num_ids - 1]] for row in range(rows)])
        for row in range(1, rows):
            ids[row, (5 * row) % num_ids] = END
            ids[row, (5 * row + 7) % num_ids] = 0
            ids[row, (5 * row + 18) % num_ids] = MARK_ID
        return ids

    return ids_of_text


@pytest.fixture(scope="session")
def trained_model() -> Model:
    """A fixed-patch model that knows two documents by heart: "tick tock " without end, and "hello there." with its END."""
    torch.manual_seed(0)
    model = build_model(FixedPatchConfig((LevelConfig(32, 1, 2, 64, 4), LevelConfig(32, 1, 2, 64)), 64))
    long, short = [END, *b"tick tock " * 7][:64], [END, *b"hello there."] * 5
    ids = torch.tensor([long, short[:64]])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(120):
        logits = model(ids)
        loss = F.cross_entropy(logits[:, 1:].reshape(-1, NUM_IDS), ids[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


KERNELS = {"any processor": 0, "AVX2": 1, "AVX-512": 2, "ARM with dot products": 3}


@pytest.fixture(params=[name for name, which in KERNELS.items() if native.is_built() and native.library().tavu_use_kernels(which)])
def kernels(request):
    """The engine with the kernels for one kind of processor, then again with the best that this one can use."""
    use = native.library().tavu_use_kernels
    use(KERNELS[request.param])
    yield
    for which in KERNELS.values():
        use(which)


@contextlib.contextmanager
def _files_of_at_most(num_bytes: int):
    """A real limit of the system's; a write past it fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def files_of_at_most():
    """The context manager num_bytes -> while it lasts, no file can grow past that."""
    return _files_of_at_most


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """No test reads or fills the cache of who runs it."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAVU_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def stories(tmp_path_factory):
    """A text file of eighty tales."""
    path = tmp_path_factory.mktemp("texts") / "stories.txt"
    path.write_text("\n<|endoftext|>\n".join(tale.text for tale in itertools.islice(tell_many(3), 80)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def run_folder(stories, tmp_path_factory):
    """The run folder of a tiny model trained on `stories`: 20 steps, which teach it next to nothing. Not to be changed."""
    from tests.training.conftest import TINY

    folder = tmp_path_factory.mktemp("runs") / "stories"
    tavu.train([str(stories)], out=folder, settings=TINY)
    return folder
