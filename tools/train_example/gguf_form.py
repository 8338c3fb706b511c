"""The example model as a GGUF file: writing from a trained network, reading back.

Linears become TQ1_0 or TQ2_0, every 256-value block carrying the tensor's one scale; the
embedding (also the head) becomes Q8_0; norms stay F32. Reading decodes all tensors to
float32: what the file says is what every other form and every reported figure uses.
"""

import gguf
import numpy as np
import torch

from corpus import END_OF_TEXT
from network import Network, Shape, decoded_codes, ternary_codes

ARCHITECTURE = "bitnet-b1.58"
CODECS = {"TQ1_0": (gguf.GGMLQuantizationType.TQ1_0, gguf.LlamaFileType.MOSTLY_TQ1_0),
          "TQ2_0": (gguf.GGMLQuantizationType.TQ2_0, gguf.LlamaFileType.MOSTLY_TQ2_0)}
SMALLEST_NORMAL_F16 = 2.0 ** -14
DATASETS = (  # name, author, address
    ("TinyStories (first 2 MiB)", "Eldan and Li",
     "https://huggingface.co/datasets/roneneldan/TinyStories"),
    ("FairytaleQA stories, training split", "uci-soe",
     "https://github.com/uci-soe/FairytaleQAData"),
    ("H. C. Andersen tales in English", "hcandersenr",
     "https://github.com/EmilHvitfeldt/hcandersenr"),
    ("Project Gutenberg children's books (NLTK selection)", "NLTK",
     "https://www.nltk.org/nltk_data/"))
SAMPLING = {"temperature": 0.7, "top_k": 40, "top_p": 0.95}


def pack_ternary(codes, scale, codec):
    """Packs codes [out, in]; also blocks that are all zero carry the scale."""
    kind = CODECS[codec][0]
    packed = gguf.quants.quantize(codes.astype(np.float32), kind)
    blocks = packed.reshape(-1, gguf.GGML_QUANT_SIZES[kind][1])
    blocks[:, -2:] = np.array([scale], dtype=np.float16).view(np.uint8)
    decoded = gguf.quants.dequantize(packed, kind)
    assert np.array_equal(decoded, codes * np.float32(scale))
    return packed


def scale_of(scale):
    """Checks that a scale is one number in bf16, f16 and f32."""
    value = np.float32(scale)
    assert np.float32(np.float16(value)) == value and value >= SMALLEST_NORMAL_F16
    assert torch.tensor(float(value)).bfloat16().item() == float(value)
    return value


def add_metadata(writer, shape, codec):
    writer.add_name("Bittern Stories")
    writer.add_basename("bittern-stories")
    writer.add_size_label("7.3M")
    writer.add_description("Small BitNet b1.58 story model, trained from scratch as an example")
    writer.add_license("apache-2.0")
    writer.add_languages(["en"])
    writer.add_tags(["text-generation", "bitnet", "ternary"])
    writer.add_dataset_count(len(DATASETS))
    for i, (name, author, url) in enumerate(DATASETS):
        writer.add_dataset_name(i, name)
        writer.add_dataset_author(i, author)
        writer.add_dataset_url(i, url)
    writer.add_sampling_temp(SAMPLING["temperature"])
    writer.add_sampling_top_k(SAMPLING["top_k"])
    writer.add_sampling_top_p(SAMPLING["top_p"])
    writer.add_file_type(CODECS[codec][1])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(shape.vocab_size)
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_block_count(shape.layer_count)
    writer.add_feed_forward_length(shape.ffn_size)
    writer.add_head_count(shape.head_count)
    writer.add_head_count_kv(shape.kv_head_count)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)


def add_tokenizer(writer, tokenizer):
    """tokenizer: the parsed tokenizer.json."""
    vocabulary = tokenizer["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.get)
    end = vocabulary[END_OF_TEXT]
    kinds = [gguf.TokenType.NORMAL] * len(tokens)
    kinds[end] = gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(True)


def write(path, network, tokenizer, codec):
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    add_metadata(writer, network.shape, codec)
    add_tokenizer(writer, tokenizer)
    linears = network.linears()
    for name, parameter in network.state_dict().items():
        name = name.replace("blocks.", "blk.")
        values = parameter.detach().float()
        if name in linears:
            codes, scale = network.blocks[0].codes_of(values)
            packed = pack_ternary(codes.numpy(), scale_of(scale), codec)
            writer.add_tensor(f"{name}.weight", packed, raw_dtype=CODECS[codec][0])
        elif name == "token_embd":
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(f"{name}.weight", gguf.quants.quantize(values.numpy(), kind),
                              raw_dtype=kind)
        else:
            writer.add_tensor(f"{name}.weight", values.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read(path):
    """The network of a GGUF file with decoded weights, ready for evaluation."""
    reader = gguf.GGUFReader(path)
    network = Network(shape_of(reader), codes_of=decoded_codes)
    state = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        name = tensor.name.removesuffix(".weight").replace("blk.", "blocks.")
        state[name] = torch.from_numpy(np.array(values, dtype=np.float32))
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def shape_of(reader):
    def key(name):
        return reader.get_field(f"{ARCHITECTURE}.{name}").contents()
    return Shape(
        vocab_size=key("vocab_size"), hidden_size=key("embedding_length"),
        layer_count=key("block_count"), head_count=key("attention.head_count"),
        kv_head_count=key("attention.head_count_kv"), head_dim=key("attention.key_length"),
        ffn_size=key("feed_forward_length"), context_length=key("context_length"),
        rope_theta=key("rope.freq_base"), norm_eps=key("attention.layer_norm_rms_epsilon"))
