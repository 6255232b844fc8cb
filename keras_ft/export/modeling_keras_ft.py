"""A classifier that averages its tokens or takes the first, for transformers; written by `keras-ft convert`.

    AutoModelForSequenceClassification.from_pretrained(FOLDER, trust_remote_code=True)

`config.keras_ft_pooling` says `mean` or `first`.
"""

import torch
from transformers import AutoModel, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

PREFIXES = {"xlm-roberta": "roberta"}  # the attribute of the encoder where it is not the type of the model


class KerasFTForSequenceClassification(PreTrainedModel):
    """An encoder, one vector a text without a pooler, and a linear head."""

    base_model_prefix = ""
    _keys_to_ignore_on_load_unexpected = [r"\.pooler\."]  # noqa: RUF012

    def __init__(self, config):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.prefix = PREFIXES.get(config.model_type, config.model_type)
        encoder = AutoModel.from_config(config)
        encoder.pooler = None
        setattr(self, self.prefix, encoder)
        self.dropout = torch.nn.Dropout(getattr(config, "hidden_dropout_prob", getattr(config, "dropout", 0.1)))
        self.classifier = torch.nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None, labels=None, **arguments):
        """Logits `(texts, labels)`, and the cross-entropy where labels are given."""
        arguments.pop("return_dict", None)
        if getattr(self.config, "type_vocab_size", 1) > 1:
            arguments["token_type_ids"] = token_type_ids
        outputs = getattr(self, self.prefix)(input_ids, attention_mask=attention_mask, **arguments)
        hidden = outputs.last_hidden_state  # (texts, length, hidden)
        logits = self.classifier(self.dropout(self._pool(hidden, attention_mask)))
        loss = None if labels is None else torch.nn.functional.cross_entropy(logits, labels.view(-1))
        return SequenceClassifierOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.attentions
        )

    def _pool(self, hidden, attention_mask):
        if self.config.keras_ft_pooling == "first":
            return hidden[:, 0]
        if attention_mask is None:
            return hidden.mean(dim=1)
        weights = attention_mask.to(hidden.dtype).unsqueeze(-1)  # (texts, length, 1)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
