"""What the catalogs hold: frozen records, each with its source and date.

Quantities carry their unit in the name. Rates are dense, per direction and decimal; an absent value is
`None` and means "not known", never zero.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
UsdPerHour = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
"""An exact price, as its source writes it."""
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Precision = Literal["bf16", "fp16", "fp8", "fp4", "int8"]
Mixer = Literal[
    "mamba",
    "mamba2",
    "gated_delta",
    "kimi_delta",
    "kimi_delta_whole",
    "lightning",
    "short_convolution",
    "local_attention",
    "compressed_attention",
]
"""Kinds of layers that mix tokens without softmax over all keys."""

MEASURED_MIXERS: Final[frozenset[Mixer]] = frozenset({"mamba2", "local_attention"})
"""Kinds of which published runs are in the fit (Nemotron 3), or whose kernels are those of other attention."""


class Record(BaseModel):
    """Base of every catalog record: immutable, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class SourcedRecord(Record):
    """A record with its provenance."""

    source: str = Field(min_length=3)
    """Where the figures were read."""
    date: str = Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")
    """When the source said so (year, month or day)."""
    note: str = ""
    """What a careful reader must know: doubts, conventions, assumptions."""


class Accelerator(SourcedRecord):
    """One device as a framework sees it (a GPU, a TPU chip, a Gaudi card)."""

    name: str
    aliases: tuple[str, ...] = ()
    """Other spellings that mean exactly this device."""
    ambiguous_aliases: tuple[str, ...] = ()
    """Spellings that several devices share and for which this one is the usual meaning."""
    vendor: str
    architecture: str
    """Generation, for example `ampere`, `hopper`, `blackwell`, `cdna3`, `tpu-v5e`."""
    compute_units: Count | None = None
    """Streaming multiprocessors (or compute units) that a kernel's tiles are spread over."""
    memory_nominal_gb: Positive
    """Capacity as sold, in decimal gigabytes."""
    memory_usable_gib: Positive
    """Capacity as the driver reports it, in GiB."""
    memory_bandwidth_gb_s: Positive
    peak_tflops: dict[Precision, Positive]
    """Dense peak per precision."""
    matmul_share: dict[Precision, Share] = {}
    """Share of the dense peak that a large matrix product was measured to reach."""
    scale_up_fabric: str
    scale_up_gb_s: Positive
    """Bandwidth inside the scale-up domain, per device and direction."""
    pair_gb_s: Positive | None = None
    """Bandwidth between one pair of devices where a direct link is slower than the sum of links."""
    scale_up_domain: Count
    """Devices that share the scale-up fabric."""
    accelerators_per_node: Count
    nic_gbit_s: Positive
    """Typical scale-out bandwidth per device, Gbit/s."""
    tdp_watts: Positive | None = None
    confidence: Literal["A", "B", "C"]
    """A: vendor page or measurement read; B: one secondary source; C: from memory."""


class Offer(SourcedRecord):
    """What one cloud sells in one place: an instance type with its price and fabric."""

    cloud: str
    region: str
    zone: str
    instance_type: str
    accelerator: str
    """Name in the accelerator catalog, resolved by instance type."""
    accelerators: Count
    """Devices per instance."""
    fabric: str
    network_gbit_s: Annotated[float, Field(ge=0)]
    """Scale-out bandwidth per device; 0 when the instance has no fabric for several nodes."""
    network_assumed: bool
    """True when the fabric was not published for this instance type and is an assumption."""
    on_demand_usd_per_hour: UsdPerHour | None = None
    """Per instance, as every price here."""
    spot_usd_per_hour: UsdPerHour | None = None
    reserved_1y_usd_per_hour: UsdPerHour | None = None
    reserved_3y_usd_per_hour: UsdPerHour | None = None
    block_usd_per_hour: UsdPerHour | None = None
    """Capacity block or another defined duration."""
    suspect: str = ""
    """Why a price is not to be trusted; a suspect offer is never used unless asked for by name."""


class ModelArchitecture(SourcedRecord):
    """A transformer, in the field names of a Hugging Face `config.json` where one exists."""

    name: str
    aliases: tuple[str, ...] = ()
    family: str
    num_hidden_layers: Count
    hidden_size: Count
    num_attention_heads: Count
    num_key_value_heads: Count
    head_dim: Count
    """Size of a query/key head (for MLA: qk_nope_head_dim + qk_rope_head_dim)."""
    intermediate_size: Annotated[int, Field(ge=0)]
    """Width of a dense layer's MLP; 0 when every layer is a mixture of experts."""
    gated_mlp: bool
    """Three matrices (SwiGLU, GeGLU) instead of two."""
    vocab_size: Count
    tie_word_embeddings: bool = False
    max_position_embeddings: Count | None = None
    learned_positions: Annotated[int, Field(ge=0)] = 0
    """Rows of a learned position table; 0 for rotary, ALiBi or none."""
    layer_input_size: Annotated[int, Field(ge=0)] = 0
    """Width of what every layer is given beside its input, from a table of its own (Gemma 3n)."""
    layer_input_vocabulary: Annotated[int, Field(ge=0)] = 0
    """Rows of those tables."""
    shared_kv_layers: Annotated[int, Field(ge=0)] = 0
    """Layers that take the keys and values of an earlier one and project none (Gemma 3n)."""
    norm: Literal["rmsnorm", "layernorm"] = "rmsnorm"
    norms_per_layer: Annotated[int, Field(ge=0)] = 2
    """Norms of hidden size in a layer (1 in parallel blocks such as Falcon's, 4 in Gemma 2 and 3)."""
    norm_weights: bool = True
    """False when norms carry no parameters (OLMo)."""
    norm_bias: bool = True
    """False when a LayerNorm has a scale but no bias (MPT, DBRX, PaLM); RMS norms never have one."""
    embedding_norm: bool = False
    """A norm right after the embedding (BLOOM)."""
    query_key_norm: bool = False
    """RMS norm on each query and key head."""
    query_key_norm_width: Literal["head", "full"] = "head"
    """Whether that norm's weights span one head or all heads."""
    attention_qkv_bias: bool = False
    attention_output_bias: bool = False
    mlp_bias: bool = False
    attention_sinks: bool = False
    """One learned sink logit per head (gpt-oss)."""
    head_bias: bool = False
    sliding_window: Count | None = None
    """Keys that a local-attention layer sees."""
    full_attention_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of layers with full attention; the others see `sliding_window` keys."""
    local_attention: Literal["sliding", "chunked"] = "sliding"
    """Whether a local layer sees the last `sliding_window` keys or its own chunk of that many (Llama 4)."""
    n_routed_experts: Annotated[int, Field(ge=0)] = 0
    num_experts_per_tok: Annotated[int, Field(ge=0)] = 0
    n_group: Annotated[int, Field(ge=1)] = 1
    """Groups that the routed experts are dealt into."""
    topk_group: Annotated[int, Field(ge=1)] = 1
    """Groups that one token's experts come from, where there are more than one (node-limited routing)."""
    moe_intermediate_size: Annotated[int, Field(ge=0)] = 0
    shared_expert_intermediate_size: Annotated[int, Field(ge=0)] = 0
    """Total width of the shared experts of one layer."""
    shared_expert_gate: bool = False
    router_bias: bool = False
    """A per-expert correction or bias vector."""
    expert_bias: bool = False
    dense_layers: Annotated[int, Field(ge=0)] = 0
    """Layers without experts in a mixture-of-experts model (first_k_dense_replace, interleaving)."""
    q_lora_rank: Annotated[int, Field(ge=0)] = 0
    kv_lora_rank: Annotated[int, Field(ge=0)] = 0
    """Above 0: multi-head latent attention."""
    qk_rope_head_dim: Annotated[int, Field(ge=0)] = 0
    v_head_dim: Annotated[int, Field(ge=0)] = 0
    """Size of a value head; 0 means head_dim."""
    attention_output_gate: bool = False
    """A gate as wide as the queries on the attention's output (Qwen3-Next)."""
    index_heads: Annotated[int, Field(ge=0)] = 0
    """Heads of the indexer that picks the keys of sparse attention; 0 without one (DeepSeek-V3.2, GLM-5)."""
    index_head_dim: Annotated[int, Field(ge=0)] = 0
    index_topk: Annotated[int, Field(ge=0)] = 0
    """Keys that the indexer leaves a query."""
    index_blocks: Count | None = None
    """Layers that run an indexer of their own; None: every layer with attention."""
    attention_blocks: Annotated[int, Field(ge=0)] | None = None
    """Softmax attentions in all layers together; None: one in each (fewer in hybrids, two a layer in LongCat-Flash)."""
    dense_mlp_blocks: Annotated[int, Field(ge=0)] | None = None
    """Dense MLPs in all layers together; None: one in each layer without experts."""
    moe_blocks: Annotated[int, Field(ge=0)] | None = None
    """Mixtures of experts in all layers together; None: one in each layer that has no dense MLP."""
    mixer: Mixer | None = None
    """What takes the place of softmax attention in some layers; None: nothing does."""
    mixer_blocks: Annotated[int, Field(ge=0)] = 0
    """Such blocks in all layers together."""
    mixer_heads: Annotated[int, Field(ge=0)] = 0
    mixer_head_dim: Annotated[int, Field(ge=0)] = 0
    """Size of a value head; heads · this is the mixer's inner width."""
    mixer_state: Annotated[int, Field(ge=0)] = 0
    """Size of a head's key, or of the state of one of its channels."""
    mixer_groups: Annotated[int, Field(ge=0)] = 0
    """Groups that share keys and queries (Mamba-2's B and C)."""
    mixer_kernel: Annotated[int, Field(ge=0)] = 0
    """Tokens that the short convolution spans, or that are pooled into one key."""
    output_lora_rank: Annotated[int, Field(ge=0)] = 0
    """Rank of each group's output projection in compressed attention."""
    pooled_blocks: Annotated[int, Field(ge=0)] = 0
    """Blocks of compressed attention that meet every pooled key, and run no indexer."""
    expert_hidden_size: Annotated[int, Field(ge=0)] = 0
    """Width that routed experts read and write, projected from the hidden size; 0: the hidden size itself."""
    zero_computation_experts: Annotated[int, Field(ge=0)] = 0
    """Experts that return their input: the router counts them, a token that they get costs nothing."""
    assumed: str = ""
    """What a reading of its file takes for granted, in one sentence; empty where it says all that matters."""
    left_out: str = ""
    """Parts of the release that are not planned (a vision tower), in words."""
    left_out_parameters: Annotated[float, Field(ge=0)] = 0.0
    """Their parameters, about; they are in no other figure."""
    multi_token_prediction_layers: Annotated[int, Field(ge=0)] = 0
    """MTP modules that are trained (each one more layer with its own projection)."""
    published_parameters: Positive | None = None
    """Total parameters as the publisher states or as the released tensors count (without MTP)."""
    published_active_parameters: Positive | None = None
    published_precision: Literal["exact", "rounded"] = "rounded"
    """Exact: counted from tensors; rounded: a figure such as 671B."""

    @property
    def has_unmeasured_kernels(self) -> bool:
        """Whether some layers run kernels of which no published training run was calibrated."""
        return (self.mixer is not None and self.mixer not in MEASURED_MIXERS) or self.index_heads > 0

    @property
    def is_moe(self) -> bool:
        """Whether any layer routes tokens to experts."""
        return self.n_routed_experts > 0
