"""Packaging of keras_ft."""

from pathlib import Path

from setuptools import find_packages, setup

SERVE = [
    "starlette>=0.40",
    "uvicorn>=0.30",
    "httptools>=0.6",
    "grpcio>=1.60",
    "grpcio-health-checking>=1.60",
    "prometheus-client>=0.24",
]
JAX = ["jax>=0.7"]  # AxisType and the meshes it is for
DATA = ["tensorflow-datasets>=4.9", "importlib_resources"]  # which its etils needs and does not name
CLIENT = ["httpx>=0.27", "pandas>=2.2"]
SEARCH = ["hnswlib>=0.8"]
WANDB = ["wandb>=0.18"]
TEST = [
    *DATA,
    *JAX,
    "pytest>=8",
    "pytest-xdist>=3.6",
    "hypothesis>=6.100",
    *CLIENT,
    "tokenizers>=0.21",
    "sentencepiece>=0.2",
    "seqeval>=1.2.2",
    "nbclient>=0.10",
    "ipykernel>=6",
    "ruff>=0.9",
    "mypy>=1.14",
    "import-linter>=2.1",
    "kubernetes-validate>=1.33",
    "compose-spec>=0.2",
    "promql-parser>=0.10",
    "types-PyYAML",
]
DOCS = ["mkdocs-material>=9.6", "mkdocstrings[python]>=0.30"]

setup(
    name="keras-ft",
    version="0.1.0",
    description="Fine-tune BERT and GPT-2 in Keras and export SavedModels with tokenization inside",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["keras_ft", "keras_ft.*"]),
    package_data={
        "keras_ft": ["text/*.npz", "export/*.txt", "export/deployment/**", "evaluation/report/page.*", "py.typed"]
    },
    install_requires=[
        "keras~=3.15.0",
        "keras-hub~=0.32.0",
        "huggingface_hub>=1.0",
        "kagglehub>=0.3.8",
        "tensorflow~=2.20.0",
        "tensorflow-text~=2.20.1",
        "tensorflow-serving-api~=2.20.0",
        "numpy>=1.26",
        "pydantic~=2.10",
        "PyYAML>=6",
        "typer>=0.15",
        "rich>=13",
        "safetensors>=0.5",
        "scikit-learn>=1.5",
        "scipy>=1.12",
        "sacrebleu>=2.4",
        "rouge-score>=0.1.2",
        "regex>=2023.10",
        "jinja2>=3.1",
        "matplotlib>=3.9",
        "fonttools>=4.40",
        "py3langid>=0.4",
        "ftfy>=6.2",
        "packaging",
        "etils[epath]>=1.9",
        "pyarrow>=16",
    ],
    extras_require={
        "serve": SERVE,
        "client": CLIENT,
        "jax": JAX,
        "data": DATA,
        "wandb": WANDB,
        "search": SEARCH,
        "model-garden": ["tf-models-official~=2.20.0"],
        "test": TEST,
        "docs": DOCS,
        "all": [*SERVE, *JAX, *DATA, *WANDB, *TEST],
    },
    entry_points={"console_scripts": ["keras-ft = keras_ft.__main__:main"]},
)
