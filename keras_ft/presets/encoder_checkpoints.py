"""How Hugging Face keeps each family of encoders: https://github.com/huggingface/transformers."""

from keras_ft.presets.encoder_checkpoint import EncoderCheckpoint
from keras_ft.presets.family import ALBERT, BERT, DISTILBERT, ELECTRA, ROBERTA, XLM_ROBERTA

SIZES = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
}
SEGMENTS = {"num_segments": "type_vocab_size"}
DEFAULTS = {"max_position_embeddings": 512, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}

BERT_CHECKPOINT = EncoderCheckpoint(
    BERT, "BERT", "bert.", keys=SIZES | SEGMENTS, defaults=DEFAULTS | {"type_vocab_size": 2}
)
ROBERTA_CHECKPOINT = EncoderCheckpoint(
    ROBERTA, "RoBERTa", "roberta.", keys=SIZES, defaults=DEFAULTS | {"pad_token_id": 1}, has_padding_position=True
)
XLM_ROBERTA_CHECKPOINT = EncoderCheckpoint(
    XLM_ROBERTA, "XLM-R", "roberta.", keys=SIZES, defaults=DEFAULTS | {"pad_token_id": 1}, has_padding_position=True
)
DISTILBERT_CHECKPOINT = EncoderCheckpoint(
    DISTILBERT,
    "DistilBERT",
    "distilbert.",
    keys=SIZES
    | {"num_layers": "n_layers", "num_heads": "n_heads", "hidden_dim": "dim", "intermediate_dim": "hidden_dim"},
    defaults={"max_position_embeddings": 512, "activation": "gelu"},
    activation="activation",
    epsilon=None,
    layer="transformer.layer.{}.",
    parts={
        "attention.self.query": "attention.q_lin",
        "attention.self.key": "attention.k_lin",
        "attention.self.value": "attention.v_lin",
        "attention.output.dense": "attention.out_lin",
        "attention.output.LayerNorm": "sa_layer_norm",
        "intermediate.dense": "ffn.lin1",
        "output.dense": "ffn.lin2",
        "output.LayerNorm": "output_layer_norm",
    },
)
ALBERT_CHECKPOINT = EncoderCheckpoint(
    ALBERT,
    "ALBERT",
    "albert.",
    keys=SIZES
    | SEGMENTS
    | {"embedding_dim": "embedding_size"}
    | {"num_groups": "num_hidden_groups", "num_inner_repetitions": "inner_group_num"},
    defaults=DEFAULTS
    | {"hidden_act": "gelu_new", "type_vocab_size": 2, "embedding_size": 128}
    | {"num_hidden_groups": 1, "inner_group_num": 1},
    layer="encoder.albert_layer_groups.{}.albert_layers.{}.",
    parts={
        "attention.self.query": "attention.query",
        "attention.self.key": "attention.key",
        "attention.self.value": "attention.value",
        "attention.output.dense": "attention.dense",
        "attention.output.LayerNorm": "attention.LayerNorm",
        "intermediate.dense": "ffn",
        "output.dense": "ffn_output",
        "output.LayerNorm": "full_layer_layer_norm",
    },
    pooler="pooler",
    projection="encoder.embedding_hidden_mapping_in",
)
ELECTRA_CHECKPOINT = EncoderCheckpoint(
    ELECTRA,
    "ELECTRA",
    "electra.",
    keys={"vocab_size": "vocab_size", **{ours: key for ours, key in SIZES.items() if ours != "vocabulary_size"}}
    | SEGMENTS
    | {"embedding_dim": "embedding_size"},
    defaults=DEFAULTS | {"type_vocab_size": 2, "embedding_size": 128},
)
ENCODER_CHECKPOINTS = {
    checkpoint.family.name: checkpoint
    for checkpoint in (
        BERT_CHECKPOINT,
        ROBERTA_CHECKPOINT,
        XLM_ROBERTA_CHECKPOINT,
        DISTILBERT_CHECKPOINT,
        ALBERT_CHECKPOINT,
        ELECTRA_CHECKPOINT,
    )
}
