"""The symbols of the equations: bundles of broadcastable arrays, without behaviour.

Every field is an array (or a number); fields of all bundles broadcast together. A field that is the same for all
layouts is a scalar, a field of a grid stands on its own axis (`tensor` of shape (5, 1, 1), `pipeline` of shape
(1, 7, 1) …), and for a table of runs every field has shape (rows,). Heavy terms depend on few fields, so they are
computed on few axes and only the last sums touch the whole grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from planner.catalog.host_links import host_link_of
from planner.catalog.precisions import TrainingPrecision
from planner.catalog.records import Accelerator, ModelArchitecture, Precision
from planner.catalog.software import StackProperties, attention_kernel
from planner.performance.mixers import mixer_shape, own_keys

Array = npt.NDArray[np.float64]
"""Numbers that broadcast; a Python number will do wherever an `Array` is expected."""

UNMEASURED_MATMUL_SHARE = 0.75
"""Share of peak assumed for a device without a measured matrix product (measured GPUs: 0.51 to 0.87, median 0.79)."""
UNMEASURED_SYSTOLIC_SHARE = 0.85
"""The same for systolic arrays, which have no tiles to schedule (measured: Gaudi2 0.97, Gaudi3 0.74)."""
UNMEASURED_LOW_SHARE = 0.9
"""Low-precision over 16-bit share of peak where only the latter was measured (H100: 0.88, H200: 0.92)."""


def _matmul_share(record: Accelerator, precision: Precision, base: Precision) -> float:
    measured = record.matmul_share.get(precision)
    if measured is not None:
        return measured
    unmeasured = UNMEASURED_MATMUL_SHARE if record.compute_units else UNMEASURED_SYSTOLIC_SHARE
    wide = record.matmul_share.get(base, unmeasured)
    return wide if precision in {"bf16", "fp16"} else wide * UNMEASURED_LOW_SHARE


@dataclass(frozen=True)
class Architecture:
    """A transformer as numbers; the names are those of `ModelArchitecture`, flags are 0 or 1."""

    layers: Array
    dense_layers: Array
    """Layers with a dense MLP: all of them without experts, the first few in DeepSeek-V3."""
    attentions: Array
    """Softmax attentions per layer: 1, less in hybrids, 2 in LongCat-Flash."""
    mlps: Array
    """MLPs per layer, dense or of experts: 1 unless blocks are left out or doubled."""
    mixers: Array
    """Blocks per layer that mix tokens without softmax attention; 0 unless the model is a hybrid."""
    hidden: Array
    heads: Array
    kv_heads: Array
    """On average over layers, of which some may take the keys and values of others."""
    query_key_head: Array
    value_head: Array
    query_rank: Array
    """Width of the low-rank query projection; 0 without one."""
    kv_rank: Array
    """Width of the latent keys and values; above 0 means multi-head latent attention."""
    rope_head: Array
    """Rotary part of a head under latent attention."""
    dense_ffn: Array
    """Width of a dense MLP, with the gated projections of what each layer is given beside its input."""
    gated: Array
    vocabulary: Array
    tied: Array
    learned_positions: Array
    """Rows of tables of hidden size beside the token table: of positions, and of what layers are given."""
    norm_size: Array
    """Parameters per hidden element of one norm: 0 none, 1 a scale (RMSNorm), 2 a scale and a bias (LayerNorm)."""
    norms_per_layer: Array
    embedding_norm: Array
    query_key_norm: Array
    """0 none, 1 per head, 2 over all heads."""
    qkv_bias: Array
    output_bias: Array
    mlp_bias: Array
    attention_sinks: Array
    head_bias: Array
    window: Array
    """Keys that a local layer sees; infinite when all layers see everything."""
    full_attention_share: Array
    chunked: Array
    """1 when a local layer sees its own chunk of `window` keys, 0 when the window slides."""
    experts: Array
    top_k: Array
    expert_groups: Array
    """Groups that the experts are dealt into; 1 or less: a token may go to any expert."""
    groups_per_token: Array
    """Groups that one token's experts come from."""
    expert_ffn: Array
    shared_ffn: Array
    shared_gate: Array
    router_bias: Array
    expert_bias: Array
    mtp_layers: Array
    attention_gate: Array
    """1 where a gate as wide as the queries multiplies the attention's output."""
    index_heads: Array
    """Heads of the indexer that picks the keys of sparse attention; 0 without one."""
    index_head: Array
    index_layers: Array
    """Indexers per attention."""
    expert_hidden: Array
    """Width that routed experts read and write; 0: the hidden size."""
    zero_experts: Array
    """Experts that the router may pick and that compute nothing."""
    mixer_inner: Array
    mixer_matrices: Array
    mixer_vectors: Array
    mixer_kept: Array
    """Elements per token that a mixer keeps for the backward pass, beside its input."""
    mixer_scan_flop: Array
    """Forward FLOP per token of a mixer's scan."""

    @classmethod
    def of(cls, record: ModelArchitecture) -> Architecture:
        """The numbers of one catalog record, each of shape ()."""
        mixer = mixer_shape(record)
        window = record.sliding_window or record.index_topk
        numbers = {
            **_blocks(record),
            "hidden": record.hidden_size,
            "heads": record.num_attention_heads,
            "kv_heads": record.num_key_value_heads * own_keys(record),
            "query_key_head": record.head_dim,
            "value_head": record.v_head_dim or record.head_dim,
            "query_rank": record.q_lora_rank,
            "kv_rank": record.kv_lora_rank,
            "rope_head": record.qk_rope_head_dim,
            "dense_ffn": record.intermediate_size + record.layer_input_size,
            "gated": record.gated_mlp,
            "vocabulary": record.vocab_size,
            "tied": record.tie_word_embeddings,
            "learned_positions": record.learned_positions + layer_input_rows(record),
            "norm_size": record.norm_weights * (1 + (record.norm == "layernorm" and record.norm_bias)),
            "norms_per_layer": record.norms_per_layer,
            "embedding_norm": record.embedding_norm,
            "query_key_norm": (1 + (record.query_key_norm_width == "full")) * record.query_key_norm,
            "qkv_bias": record.attention_qkv_bias,
            "output_bias": record.attention_output_bias,
            "mlp_bias": record.mlp_bias,
            "attention_sinks": record.attention_sinks,
            "head_bias": record.head_bias,
            "window": window or np.inf,
            "full_attention_share": record.full_attention_share if record.sliding_window else float(not window),
            "chunked": record.local_attention == "chunked",
            "experts": record.n_routed_experts,
            "top_k": record.num_experts_per_tok,
            "expert_groups": record.n_group,
            "groups_per_token": record.topk_group,
            "expert_ffn": record.moe_intermediate_size,
            "shared_ffn": record.shared_expert_intermediate_size,
            "shared_gate": record.shared_expert_gate,
            "router_bias": record.router_bias,
            "expert_bias": record.expert_bias,
            "mtp_layers": record.multi_token_prediction_layers,
            "attention_gate": record.attention_output_gate,
            "index_heads": record.index_heads,
            "index_head": record.index_head_dim,
            "expert_hidden": record.expert_hidden_size,
            "zero_experts": record.zero_computation_experts,
            "mixer_inner": mixer.inner,
            "mixer_matrices": mixer.matrices,
            "mixer_vectors": mixer.vectors,
            "mixer_kept": mixer.kept,
            "mixer_scan_flop": mixer.scan_flop,
        }
        return cls(**{name: np.asarray(value, dtype=np.float64) for name, value in numbers.items()})

    @classmethod
    def stack(cls, rows: Sequence[Architecture]) -> Architecture:
        """Many architectures as one, each field of shape (rows,)."""
        return cls(**{f.name: np.stack([getattr(row, f.name) for row in rows]) for f in fields(cls)})


def layer_input_rows(record: ModelArchitecture) -> float:
    """The tables of what every layer is given, as rows of hidden size: V·L·w/h."""
    return record.layer_input_vocabulary * record.num_hidden_layers * record.layer_input_size / record.hidden_size


def _blocks(record: ModelArchitecture) -> dict[str, float]:
    """The layers of a model, and how many blocks of each kind a layer has."""
    layers = record.num_hidden_layers
    attentions = layers if record.attention_blocks is None else record.attention_blocks
    usual_dense = record.dense_layers if record.is_moe else layers
    dense = usual_dense if record.dense_mlp_blocks is None else record.dense_mlp_blocks
    sparse = max(layers - usual_dense, 0) if record.moe_blocks is None else record.moe_blocks
    return {
        "layers": layers,
        "dense_layers": dense,
        "attentions": attentions / layers,
        "mlps": (dense + sparse) / layers,
        "mixers": record.mixer_blocks / layers,
        "index_layers": (record.index_blocks or attentions) / max(attentions, 1),
    }


@dataclass(frozen=True)
class Device:
    """One accelerator and the links that it sits on; rates are what large transfers and products sustain."""

    matmul_flops_s: Array
    """Dense 16-bit matrix product of a large aligned shape, FLOP/s."""
    low_matmul_flops_s: Array
    """The same in the precision of the linear layers (fp8, fp4); equals `matmul_flops_s` in 16 bit."""
    peak_flops_s: Array
    """Datasheet peak of the linear layers' precision: the denominator of MFU."""
    attention_share: Array
    """Share of `matmul_flops_s` that the forward attention kernel sustains on long sequences."""
    compute_units: Array
    """Units that the tiles of a product are spread over; 0 where tiles do not quantise (systolic arrays)."""
    memory_bytes: Array
    """Usable memory."""
    memory_bytes_s: Array
    scale_up_bytes_s: Array
    """Per device and direction inside the scale-up domain."""
    scale_up_domain: Array
    node: Array
    """Devices that share a host and its network cards."""
    network_bytes_s: Array
    """Per device and direction between scale-up domains, at wire rate."""
    fused_experts: Array
    """1 where the stack's kernels for this architecture permute, quantise and activate inside the experts' products."""
    host_bytes_s: Array
    """Per device and direction to its host's memory, at wire rate."""
    host_memory_bytes_s: Array
    """A device's share of its host's memory bandwidth."""
    narrow_attention: Array | float = 0.8
    """The same share with heads of 64 or fewer, over that with heads of 128."""
    pace: Array | float = 1.0
    """Factor on what takes seconds without being a rate: latencies, kernel launches, fixed times of a step."""

    @property
    def least_pace(self) -> float:
        """The factor at which its products would reach the data sheet's peak, at most 1."""
        return min(max(float(self.low_matmul_flops_s / self.peak_flops_s), 1e-9), 1.0)

    def slowed(self, factor: float) -> Device:
        """The same where every step takes `factor` times as long: all rates are as much lower, all other times longer.

        No product gets faster than the data sheet's peak.
        """
        factor = max(factor, self.least_pace)
        rates = ("matmul_flops_s", "low_matmul_flops_s", "memory_bytes_s", "scale_up_bytes_s", "network_bytes_s")
        slower = {name: getattr(self, name) / factor for name in (*rates, "host_bytes_s", "host_memory_bytes_s")}
        return replace(self, **slower, pace=np.asarray(self.pace * factor))

    @classmethod
    def of(
        cls,
        record: Accelerator,
        precision: TrainingPrecision,
        stack: StackProperties,
        *,
        efficiency: float = 1.0,
        network_gbit_s: float | None = None,
    ) -> Device:
        """The numbers of one accelerator under a precision and a stack, each of shape ().

        `efficiency` is the calibrated factor on the matmul rate. An unmeasured matmul share counts as
        `UNMEASURED_MATMUL_SHARE`. Raises KeyError when the device has no such arithmetic.
        """
        base: Precision = "bf16" if "bf16" in record.peak_tflops else "fp16"
        sustained = {p: 1e12 * peak * _matmul_share(record, p, base) for p, peak in record.peak_tflops.items()}
        arithmetic = precision.arithmetic if precision.is_low else base
        kernel = attention_kernel(stack.attention)
        efficiency *= stack.rate_share.get(record.architecture, 1.0)
        network = record.nic_gbit_s if network_gbit_s is None else network_gbit_s
        host = host_link_of(record)
        numbers = {
            "matmul_flops_s": sustained[base] * efficiency,
            "low_matmul_flops_s": sustained[arithmetic] * efficiency * precision.rate,
            "peak_flops_s": record.peak_tflops[arithmetic] * 1e12,
            "attention_share": kernel.share_on(record.architecture) if kernel else 1.0,
            "narrow_attention": kernel.narrow_share_on(record.architecture) if kernel else 1.0,
            "compute_units": record.compute_units or 0,
            "memory_bytes": record.memory_usable_gib * 2**30,
            "memory_bytes_s": record.memory_bandwidth_gb_s * 1e9,
            "scale_up_bytes_s": record.scale_up_gb_s * 1e9,
            "scale_up_domain": record.scale_up_domain,
            "node": record.accelerators_per_node,
            "network_bytes_s": network / 8 * 1e9,
            "fused_experts": stack.fused_experts.get(record.architecture, 0.0) if precision.is_low else 0.0,
            "host_bytes_s": host.gb_s * 1e9,
            "host_memory_bytes_s": host.memory_gb_s * 1e9,
            "pace": 1.0,
        }
        return cls(**{name: np.asarray(value, dtype=np.float64) for name, value in numbers.items()})


@dataclass(frozen=True)
class Software:
    """What a training stack of some release does; flags are 0 or 1. Sources: `catalogs/software.toml`."""

    generic: Array
    """0 for vendor-tuned kernels, 1 without, whose kernels take `Constants.generic_stack` times as long; or between."""
    elementwise_traffic: Array
    """Memory traffic of elementwise operators over that of kernels fused by hand."""
    cast_traffic: Array
    """Memory traffic of quantising over that of separate cast and transpose kernels."""
    fused_attention: Array
    skips_window: Array
    """1 where the attention kernel leaves out the keys beyond a window, 0 where it computes and masks them."""
    sequence_parallel: Array
    """Norms and residuals are sharded over the tensor-parallel group."""
    keeps_gathered: Array
    """1 where the gathered inputs of linear layers are kept for the backward pass instead of gathered again."""
    tensor_overlap: Array
    data_overlap: Array
    deduplicates: Array
    """1 where a token crosses to another scale-up domain once, however many of its experts are there."""
    expert_overlap: Array
    """Share of expert dispatch and combine that the schedule hides under other micro-batches' compute."""
    bubble: Array
    """Share of 1F1B's pipeline bubble that the schedule leaves."""
    sends_sharded: Array
    """1 where each tensor-parallel rank sends its share of an activation to the next stage, 0 where all send all."""
    host_seconds: Array
    """Host time per kernel launch; 0 where whole steps are compiled."""
    moe_traffic: Array
    """Memory traffic of permute, unpermute and padding, as a multiple of the token copies."""
    moe_host_kernels: Array
    """Kernel launches of a mixture-of-experts layer beyond a dense layer's, however many experts a device has."""
    expert_host_kernels: Array
    """Kernel launches of a forward pass per expert on a device."""
    selective_linear: Array
    """Share of a layer's linear forward that selective recompute runs again."""
    selective_attention: Array
    """1 where selective recompute runs the attention core again."""
    stores_low_precision: Array
    """1 where linear layers keep their inputs for the backward pass in the low precision."""
    selective_kept: Array
    """Share of a layer's activations that selective recompute keeps."""
    counts_embedding: Array
    """1 where embedding and loss count as layers when stages are cut."""
    parameter_gather_exposed: Array
    """1 where the all-gather of updated parameters waits until the step is over."""
    pipeline_slack: Array
    """Micro-batches that a pipeline stage holds beyond 1F1B's, as a share of them."""
    weight_bytes: Array
    """Bytes per trained parameter that the passes read: 2, or 1 where weights are kept in 8 bit."""
    gradient_bytes: Array
    """Bytes per parameter of the gradient buffer."""
    gradient_copy_bytes: Array
    """Bytes per parameter of the copy that the optimizer takes of its gradients at the step, sharded as its states."""
    zero3_weight_bytes: Array
    """The same as `weight_bytes` under ZeRO-3: 0 where the shards are the optimizer's own copy."""
    zero3_gradient_bytes: Array
    """The same as `gradient_bytes` under ZeRO-3."""
    unfused_kept: Array
    """Share of the norms and activations that separate kernels compute, which keep what fused ones do not."""
    expert_outputs_kept: Array
    """1 where the outputs of experts are kept for the backward pass, because their weights are applied last."""
    gradient_wire_bytes: Array
    """Bytes per parameter of a gradient when it is reduced over the replicas."""
    communication_buffers: Array
    """1 where collectives stage what they move in buffers of their own, as NCCL does; 0 where a compiler plans them."""
    logits_bytes: Array
    """Bytes per logit that live at the peak (logits, fp32 copy, gradient)."""

    @classmethod
    def of(cls, stack: StackProperties, precision: TrainingPrecision | None = None) -> Software:
        """The numbers of one stack at one release for a precision (16-bit brain floats unless given), shape ()."""
        numbers = {f.name: getattr(stack, f.name, None) for f in fields(cls)}
        arithmetic = precision.arithmetic if precision else "bf16"
        for name in ("gradient_bytes", "gradient_copy_bytes", "weight_bytes"):
            by_arithmetic = getattr(stack, name)
            numbers[name] = by_arithmetic.get(arithmetic, by_arithmetic["default"])
        kernel = attention_kernel(stack.attention)
        numbers["fused_attention"] = kernel is not None
        numbers["skips_window"] = kernel is not None and kernel.skips_window
        numbers["host_seconds"] = stack.host_microseconds * 1e-6
        return cls(**{name: np.asarray(value, dtype=np.float64) for name, value in numbers.items()})


@dataclass(frozen=True)
class Job:
    """What is trained in one phase."""

    sequence: Array
    global_batch: Array
    """Sequences per step."""
    low_precision: Array
    """1 where linear layers run in 8 or 4 bit."""
    cast_bytes: Array
    """Extra bytes per activation element that quantising moves."""
    trains_base: Array
    """1 for full-parameter training, 0 where the base is frozen (LoRA)."""
    adapter_rank: Array
    """LoRA rank; 0 without adapters."""
    state_bytes: Array
    """Optimizer bytes per parameter: master copy and moments."""
    compressed_gradients: Array | float = 0.0
    """1 where gradients travel in 8 bit."""
    gradient_bytes: Array | float = 0.0
    """Bytes per parameter of the gradient buffer; 0: what the stack does."""
    base_bytes: Array | float = 2.0
    """Bytes per parameter of a frozen base's layers."""
    fused_loss: Array | float = 0.0
    """1 where the logits are never whole."""
    offloads_optimizer: Array | float = 0.0
    """1 where optimizer states are kept and updated on the host."""
    offloads_parameters: Array | float = 0.0
    """1 where weights that ZeRO-3 shards are kept on the host."""
    offloads_activations: Array | float = 0.0
    """1 where stored activations are kept on the host."""
    pages_optimizer: Array | float = 0.0
    """1 where optimizer states move to the host when the device has no room for them."""
    orthogonalisation_steps: Array | float = 0.0
    """Newton–Schulz iterations of an optimizer step over every matrix; 0 for element-wise optimizers."""
    document: Array | float = 0.0
    """Tokens that attend to each other where documents are packed into a sequence; 0: the whole sequence."""
    trains_mtp: Array | float = 0.0
    """1 where the model's multi-token-prediction modules are trained too."""


@dataclass(frozen=True)
class Layout:
    """How a step is spread over devices."""

    tensor: Array
    pipeline: Array
    virtual_pipeline: Array
    """Model chunks per device under interleaving; 1 without."""
    context: Array
    expert: Array
    expert_tensor: Array
    """Tensor parallelism inside an expert; 1 unless stated."""
    data: Array
    micro_batch: Array
    """Sequences per micro-batch and replica."""
    recompute_full: Array
    """Share of layers that are recomputed in full."""
    recompute_selective: Array
    """Share of layers under selective recompute."""
    zero: Array
    """ZeRO stage: 0 none, 1 optimizer, 2 gradients too, 3 parameters too."""
    shard: Array
    """Replicas that parameters or optimizer states are sharded over; at most data · context."""


@dataclass(frozen=True)
class Constants:
    """The estimator's global constants; fitted ones come from `plan calibrate`, the others from their sources."""

    shape_elements: float
    """c in 1 + c·(1/M + 1/N + 1/K): start-up and drain of a matrix product's pipelines, in elements."""
    attention: float
    """Multiplier on the attention kernel's rate."""
    elementwise: float
    """Multiplier on elementwise memory traffic."""
    tensor_exposed: float
    """Share of tensor-parallel communication that overlapping stacks still expose."""
    overlap_leak: float
    """Share of overlapped communication that is exposed all the same (it slows the kernels it runs under)."""
    expert_exposed: float
    """Share of expert dispatch and combine that is exposed."""
    generic_stack: float
    """Kernel time of a stack without vendor-tuned kernels over one with them."""
    collective_seconds: float
    """Latency of a collective per doubling of its group."""
    host: float
    """Multiplier on host launch time."""
    moe_traffic: float
    """Multiplier on `Software.moe_traffic`."""
    step_seconds: float
    """Fixed time per step: data, logging, synchronisation."""
    jitter: float
    """Slow-down per doubling of the nodes: stragglers and network noise."""
    activations: float
    """Multiplier on stored activations."""
    fragmentation: float
    """Share of the allocated memory that the allocator reserves on top (published: mean 4.8 %, at most 9.3 %)."""
    context_bytes: float
    """Driver context and libraries of a device alone."""
    communicator_bytes: float
    """Communication buffers per doubling of the devices."""
    memory_deviation: float
    """Standard deviation of log(real peak / expected peak)."""
