"""What can be configured: one model a block, every field with a sentence, unknown keys refused. No behaviour.

Loading (environment over .env over profile over default) is in `assistant.settings_loader`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, IPvAnyNetwork, PositiveFloat, PositiveInt, SecretStr

from assistant.settings_block import Block
from assistant.settings_security import Access, Audit, Auth, Limits, Sessions


class Storage(Block):
    path: Path = Field(default=Path("storage"), description="Folder of everything made at run time.")


class Server(Block):
    host: str = Field(default="127.0.0.1", description="Address the page is served on; loopback unless you publish it.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port of the page; 0 takes a free one.")
    concurrent_answers: PositiveInt = Field(
        default=16, description="Answers that stream at once; others wait, and see their place."
    )
    waiting_answers: int = Field(
        default=256, ge=0, description="Questions that may wait; the next one is told that the assistant is busy."
    )
    shutdown_grace_seconds: PositiveFloat = Field(
        default=10.0, description="How long running answers may finish at shutdown."
    )
    trusted_proxies: list[IPvAnyNetwork] = Field(
        default=[],
        description="Addresses or networks of your reverse proxies: only their X-Forwarded-For and -Proto are believed.",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#\s@]+/?$",
        description="Where people open the page, such as https://assistant.company.example; single sign-on needs it.",
    )
    secure_cookies: bool = Field(default=False, description="Send the session cookie over HTTPS only; true behind TLS.")
    plain_http: bool = Field(
        default=False, description="Serve other machines without TLS all the same: in a network that you trust."
    )


class Chroma(Block):
    mode: Literal["managed", "server"] = Field(
        default="managed", description="managed: started and stopped by the assistant; server: a given host and port."
    )
    host: str = Field(default="127.0.0.1", description="Address of the Chroma server.")
    port: int = Field(
        default=8001, ge=0, le=65535, description="Port of the Chroma server; 0 takes a free one (managed only)."
    )
    ssl: bool = Field(default=False, description="Speak HTTPS to the Chroma server (mode server).")
    token: SecretStr | None = Field(
        default=None, description="Bearer token for a Chroma server behind a proxy (mode server)."
    )
    start_seconds: PositiveFloat = Field(default=30.0, description="How long a managed server may take to start.")


class Database(Block):
    url: SecretStr | None = Field(
        default=None, description="SQLAlchemy URL of catalog and state; by default SQLite in the storage folder."
    )


class Llm(Block):
    provider: str = Field(description="A registered language model part: ollama, openai_like, extractive, echo.")
    model: str = Field(default="", description="The model's name at its server.")
    url: str = Field(default="", description="The server's address.")
    api_key: SecretStr | None = Field(default=None, description="Key for an OpenAI-compatible server.")
    context_window: int = Field(default=8192, ge=512, description="Tokens of context asked of the server (num_ctx).")
    max_answer_tokens: int = Field(
        default=1024, ge=16, description="Tokens an answer may have; kept free in the context."
    )
    temperature: float = Field(default=0.1, ge=0, le=2, description="Sampling temperature.")
    first_token_seconds: PositiveFloat = Field(
        default=60.0, description="Wait this long for a first token, then try the next."
    )
    token_seconds: PositiveFloat = Field(
        default=30.0, description="Wait this long between tokens before giving the answer up."
    )
    keep_alive: str = Field(default="30m", description="How long Ollama keeps the model in memory.")


class Embedding(Block):
    provider: str = Field(default="huggingface", description="A registered embedding part: huggingface, hash.")
    model: str = Field(
        default="data/models/static-bilingual",
        description="Folder of the model, or its hub name after `assistant models pull`; to another: `assistant reindex`.",
    )
    device: str = Field(default="cpu", description="Where it runs: cpu, cuda.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Precision of a transformer; auto: bfloat16 on a CPU that has it, float16 on a GPU, else float32.",
    )
    batch_size: PositiveInt = Field(default=64, description="Passages embedded at once.")
    threads: PositiveInt = Field(default=1, description="Torch threads; more than one spins and slows a busy machine.")
    query_instruction: str = Field(default="", description="Put before a question, if the model wants it.")
    text_instruction: str = Field(default="", description="Put before a passage, if the model wants it.")


class Reranker(Block):
    provider: str = Field(default="none", description="A registered reranker part: none, flag_embedding.")
    model: str = Field(
        default="BAAI/bge-reranker-v2-m3",
        description="Folder of the cross-encoder, or its hub name after `assistant models pull NAME`.",
    )
    device: str = Field(default="cpu", description="Where it runs: cpu, cuda.")
    use_fp16: bool = Field(default=False, description="Half precision; true on a GPU.")
    candidates: PositiveInt = Field(default=20, description="How many of the best passages it reads.")
    batch_size: PositiveInt = Field(default=16, description="Passages read at once.")
    budget_ms: int = Field(
        default=2000,
        ge=0,
        description="An order that comes later than this is not waited for: the fused one is used; 0 waits for ever.",
    )


class FusionWeights(Block):
    bm25: float = Field(default=1.0, ge=0, description="Weight of the keyword score.")
    vector: float = Field(default=1.6, ge=0, description="Weight of the cosine similarity.")
    title: float = Field(default=0.75, ge=0, description="Weight of the question's words in the document's title.")
    proximity: float = Field(default=0.4, ge=0, description="Weight of the question's words being near each other.")


class Retrieval(Block):
    candidates: PositiveInt = Field(default=50, description="Passages taken from each retriever before fusion.")
    top_n: PositiveInt = Field(default=6, description="Passages that reach the prompt and the sources.")
    weights: FusionWeights = Field(
        default=FusionWeights(), description="Weights of the fusion; set by `assistant eval`."
    )
    bm25_k1: float = Field(default=1.5, ge=0, description="BM25: how soon more of the same word stops to count.")
    bm25_b: float = Field(default=0.75, ge=0, le=1, description="BM25: how much long passages are marked down.")
    min_coverage: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="Share of the question's words, weighted by rarity, that is enough without any similarity.",
    )
    min_similarity: float = Field(
        default=0.55,
        gt=0,
        description="Cosine that is enough without any of the words; shares of both thresholds add up.",
    )
    glossary: Path | None = Field(
        default=Path("configs/glossary.yaml"), description="The company's synonyms: a YAML list of groups of phrases."
    )
    max_question_chars: PositiveInt = Field(default=4000, description="A longer question is refused with a sentence.")


class Answer(Block):
    max_quotes: PositiveInt = Field(default=4, description="Sentences that the extractive answerer quotes at most.")
    retry_seconds: PositiveFloat = Field(
        default=15.0, description="A language model that failed rests this long, or as long as its failure took."
    )
    min_support: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="A sentence of a model that its sources support less is marked; 0 marks none (`assistant eval claims`).",
    )
    rewrite_seconds: PositiveFloat = Field(
        default=5.0, description="A language model makes a follow-up a whole question in this time, or a rule does."
    )


class IngestLimits(Block):
    seconds: PositiveFloat = Field(default=120.0, description="Time one file may take.")
    memory_mb: PositiveInt = Field(default=3072, description="Address space of a reading worker.")
    file_mb: PositiveInt = Field(default=200, description="Size of a file.")
    unpacked_mb: PositiveInt = Field(default=500, description="Unpacked size of an office file.")
    pages: PositiveInt = Field(default=3000, description="Pages, sheets or slides of a document.")
    nesting: int = Field(default=2, ge=0, description="How deep attachments within attachments are read.")
    archive_files: PositiveInt = Field(default=5000, description="Files inside an office file or archive.")
    ocr_page_seconds: PositiveFloat = Field(default=30.0, description="Time the recognition of one page may take.")
    text_chars: PositiveInt = Field(default=20_000_000, description="Text taken from one file.")


class Ocr(Block):
    enabled: bool = Field(default=True, description="Recognise pages that hold no usable text.")
    languages: list[str] = Field(
        default=["rus", "eng"], min_length=1, description="Tesseract languages, read together."
    )
    dpi: int = Field(default=200, ge=72, le=600, description="Resolution a page is drawn in; more makes it worse.")
    data: Path | None = Field(
        default=None, description="Folder of Tesseract's language data; by default where the system has it."
    )


class Watch(Block):
    debounce_seconds: PositiveFloat = Field(default=2.0, description="Wait until a folder has been quiet for so long.")
    sweep_minutes: PositiveFloat = Field(default=15.0, description="Compare the whole source this often as well.")


class Ingest(Block):
    pipelines: list[str] = Field(
        default=["pipelines/default.yaml"], description="Pipelines run by a bare `assistant ingest`."
    )
    workers: int = Field(default=0, ge=0, description="Processes that read files; 0 is one for each core.")
    batch_chunks: PositiveInt = Field(default=1000, description="Passages embedded and stored at once.")
    keyword_refresh_minutes: PositiveFloat = Field(
        default=5.0, description="During a long run, how often new documents become findable by their words."
    )
    vector_cache_mb: PositiveInt = Field(default=2048, description="Size of the cache of vectors by text.")
    ocr_cache_mb: PositiveInt = Field(default=1024, description="Size of the cache of recognised pages.")
    passwords: list[SecretStr] = Field(default=[], description="Passwords tried on encrypted files.")
    ocr: Ocr = Field(default=Ocr(), description="Recognition of scans.")
    watch: Watch = Field(default=Watch(), description="`assistant watch`.")
    limits: IngestLimits = Field(default=IngestLimits(), description="Limits on the reading of one file.")
    max_delete_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Stop when a source lost a larger share of its documents (an unmounted disk).",
    )


class Index(Block):
    keep_generations: int = Field(
        default=1, ge=0, description="Replaced generations of the index that `assistant reindex --back` can return to."
    )
    golden: Path | None = Field(
        default=Path("data/eval"),
        description="Labelled questions by which `assistant reindex` compares generations, if their documents are loaded.",
    )


class State(Block):
    retention_days: int = Field(
        default=365, ge=0, description="A conversation that nobody used for so long is removed for good; 0 keeps them."
    )
    undo_days: PositiveInt = Field(
        default=30, description="A deleted conversation can be restored for so long, then it is removed for good."
    )


class Logs(Block):
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is written."
    )
    console: bool = Field(default=True, description="Also write readable lines to the terminal.")


class Settings(Block):
    """The whole configuration; see docs/settings.md."""

    storage: Storage = Field(default=Storage(), description="Run-time state.")
    server: Server = Field(default=Server(), description="The page and the API.")
    chroma: Chroma = Field(default=Chroma(), description="The vector store.")
    database: Database = Field(default=Database(), description="Catalog and state.")
    llms: list[Llm] = Field(
        default=[Llm(provider="extractive")], min_length=1, description="Language models, tried in this order."
    )
    embedding: Embedding = Field(default=Embedding(), description="The embedding model.")
    reranker: Reranker = Field(default=Reranker(), description="The reranker.")
    retrieval: Retrieval = Field(default=Retrieval(), description="How passages are found.")
    answer: Answer = Field(default=Answer(), description="How answers are made.")
    ingest: Ingest = Field(default=Ingest(), description="How documents are loaded.")
    index: Index = Field(default=Index(), description="Generations of the index (`assistant reindex`).")
    auth: Auth = Field(default=Auth(), description="The ways in.")
    access: Access = Field(default=Access(), description="What people may read.")
    limits: Limits = Field(default=Limits(), description="How much one person or address may ask.")
    audit: Audit = Field(default=Audit(), description="What is written down of who did what.")
    state: State = Field(default=State(), description="How long conversations are kept.")
    sessions: Sessions = Field(default=Sessions(), description="How long people stay signed in.")
    logs: Logs = Field(default=Logs(), description="What is logged.")

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL in force."""
        if self.database.url is not None:
            return self.database.url.get_secret_value()
        return f"sqlite:///{self.storage.path.expanduser().resolve() / 'assistant.db'}"
