"""Tiny models of each family with random numbers, saved in the layout of Hugging Face."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs Transformers")

import torch
import transformers as hf

_WAVES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 12,
}
_WHISPER = {
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 24,
    "vocab_size": 60,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
    "max_source_positions": 100,
}
_AST = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_length": 128,
    "num_mel_bins": 40,
}
_CLAP_AUDIO = {
    "patch_embeds_hidden_size": 8,
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
    "hidden_size": 16,
    "projection_dim": 12,
}
_CLAP_TEXT = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "projection_dim": 12,
}


def _clap(**audio: Any) -> Any:
    config = hf.ClapConfig(
        text_config=_CLAP_TEXT, audio_config={**_CLAP_AUDIO, **audio}, projection_dim=12
    )
    return hf.ClapModel(config)


_MAKERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "wav2vec2": lambda: (
        hf.Wav2Vec2ForCTC(hf.Wav2Vec2Config(**_WAVES)),
        hf.Wav2Vec2FeatureExtractor(),
    ),
    "hubert": lambda: (hf.HubertModel(hf.HubertConfig(**_WAVES)), hf.Wav2Vec2FeatureExtractor()),
    "wavlm": lambda: (
        hf.WavLMModel(hf.WavLMConfig(**_WAVES)),
        hf.Wav2Vec2FeatureExtractor(do_normalize=False),
    ),
    "whisper": lambda: (
        hf.WhisperForConditionalGeneration(hf.WhisperConfig(**_WHISPER)),
        hf.WhisperFeatureExtractor(chunk_length=2),
    ),
    "ast": lambda: (
        hf.ASTForAudioClassification(hf.ASTConfig(**_AST)),
        hf.ASTFeatureExtractor(max_length=128, num_mel_bins=40),
    ),
    "clap": lambda: (_clap(), hf.ClapFeatureExtractor(truncation="rand_trunc", max_length_s=1)),
    "clap_fused": lambda: (
        _clap(enable_fusion=True, fusion_type="aff_2d", enable_patch_fusion=True),
        hf.ClapFeatureExtractor(max_length_s=1),
    ),
}


@cache
def _tiny(family: str) -> tuple[Any, Any]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, extractor = _MAKERS[family]()
    return model.eval(), extractor


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], tuple[Any, Any]]:
    """Return the maker of a model in evaluation mode, with the feature extractor of the library."""
    return _tiny


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the maker of the folder of a model, which is not to be changed."""
    root = tmp_path_factory.mktemp("models")

    @cache
    def save(family: str) -> Path:
        for part in _tiny(family):
            part.save_pretrained(root / family)
        return root / family

    return save
