"""What the word model costs (see tavu/model/cost.py)."""

from tavu.config import WordPatchConfig
from tavu.model.cost import Part, num_parameters, transformer_cost, whole
from tavu.model.words.rows import NUM_HINTS
from tavu.model.words.tensors import word_patch_tensors


def word_patch_cost(config: WordPatchConfig, bytes_per_patch: float) -> Part:
    specs = word_patch_tensors(config)
    level, local = config.levels
    num_words = round(config.max_seq_len / bytes_per_patch)
    to_local, mlps, head = (num_parameters(specs, name) for name in ("global_to_local", "local_model.mlps", "local_model.head"))

    def table(title: str, name: str) -> Part:
        return Part(title, num_parameters(specs, name))

    pairs = [table("pairs (hashed)", "word_embedder.pairs")] if config.pair_rows else []
    transformer = transformer_cost(specs, "global_model", level, bytes_per_unit=bytes_per_patch, attended=num_words, cached=num_words)
    parts = [
        whole("word embedder", table("words", "word_embedder.words"), *pairs, table("last ids", "word_embedder.last_ids")),
        whole("global model", transformer),
        Part("global to local", to_local, 2 * to_local / bytes_per_patch),
    ]
    if config.lexicon_words:
        parts.append(Part("lexicon", num_parameters(specs, "lexicon."), 2 * num_parameters(specs, "lexicon.", ndim=2) / bytes_per_patch))
    if config.pointer_dim:  # scores every word by its query and by each hint, and caches its key
        scored = (1 + NUM_HINTS) * num_words * config.pointer_dim
        flops = 2 * (num_parameters(specs, "pointer.", ndim=2) + scored) / bytes_per_patch
        parts.append(Part("pointer", num_parameters(specs, "pointer."), flops, 4 * config.pointer_dim * num_words))
    return whole(
        "words",
        *parts,
        whole(
            "byte embedder",
            table("last ids", "byte_embedder.last_ids"),
            table("prefixes, n-grams and phrases (hashed)", "byte_embedder.hashed"),
        ),
        whole("local model", Part(f"mlp x {local.num_layers}", mlps, 2 * mlps), Part("head", head, 2 * head)),
    )
