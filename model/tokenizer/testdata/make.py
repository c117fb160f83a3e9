#!/usr/bin/env python3
"""Makes what lies in this folder. Needs tokenizers 0.23.3 and sentencepiece 0.2.3.

    python make.py pipelines OUT TEXTS        small tokenizers that use the rarer components: OUT/NAME/tokenizer.json
    python make.py sentencepiece OUT TEXTS    small models of SentencePiece: OUT/NAME.model, and OUT/NAME.jsonl.gz, what its library makes of TEXTS
    python make.py sample OUT FOLDER ...      a few records of each FOLDER/NAME.jsonl.gz and FOLDER/NAME.decode.jsonl.gz, with FOLDER/NAME/tokenizer.json

TEXTS is a file of JSON records, {"text": ...} a line, to learn vocabularies from and to encode. The records of pipelines are made by a script that
encodes texts with the official library and writes {cat, text, ids, ids_plain, decoded, decoded_skip} a line.
"""
import base64, gzip, io, json, os, random, sys

RULES = [("ﬁ", "fi"), ("①", "1"), ("½", "1/2"), ("ｱ", "ア"), ("…", "..."), ("\u00a0", " "), ("\t", " "), ("\n", " "), ("\u200b", ""), ("e\u0301", "\u00e9"), ("\u00e8", "e\u0300"), ("の", "ノ"), ("AB", "a-b"), ("ABC", "abc"), ("🦙", "llama")]


def texts(path):
    return [json.loads(line)["text"] for line in open(path, encoding="utf-8")]


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    buf = io.BytesIO()
    with gzip.GzipFile(fileobj=buf, mode="wb", mtime=0, filename="") as f:
        f.write(data)
    with open(path, "wb") as f:
        f.write(buf.getvalue())


def lines(records):
    return b"".join(json.dumps(x, separators=(",", ":")).encode() + b"\n" for x in records)


def train(out, name, corpus, **options):
    """Trains a model of SentencePiece and returns its path. Rules for the characters come from RULES, if wanted."""
    import sentencepiece
    os.makedirs(out, exist_ok=True)
    if options.pop("rules", False):
        tsv = os.path.join(out, "rules.tsv")
        hexes = lambda s: " ".join("%X" % ord(c) for c in s)
        with open(tsv, "w") as f:
            f.writelines(f"{hexes(a)}\t{hexes(b)}\n" for a, b in RULES)
        options["normalization_rule_tsv"] = tsv
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_prefix=os.path.join(out, name), minloglevel=3, num_threads=1, max_sentence_length=9000, **options)
    return os.path.join(out, name + ".model")


def fields(b):
    """The fields of a protocol buffer message, (tag, value) each."""
    i = 0

    def varint():
        nonlocal i
        v = shift = 0
        while True:
            v |= (b[i] & 127) << shift
            i, shift = i + 1, shift + 7
            if b[i - 1] < 128:
                return v
    while i < len(b):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            n = varint() if key & 7 == 2 else 4 if key & 7 == 5 else 8
            yield key >> 3, b[i:i + n]
            i += n


MODELS = {
    "bpe-bytes": dict(model_type="bpe", vocab_size=1400, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True, character_coverage=.98),
    "bpe-rules": dict(model_type="bpe", vocab_size=1400, rules=True, character_coverage=.98, user_defined_symbols=["<sep>", "▁▁x", "foo"]),
    "unigram-rules": dict(model_type="unigram", vocab_size=1400, rules=True, character_coverage=.98),
    "unigram-bytes": dict(model_type="unigram", vocab_size=1400, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=.98, user_defined_symbols=["<sep>"], add_dummy_prefix=False),
}


def cmd_sentencepiece(out, path):
    import sentencepiece
    corpus = texts(path)
    r = random.Random(3)
    for name, options in MODELS.items():
        model = train(out, name, [s for t in corpus for s in t.split("\n") if s.strip()], **options)
        os.remove(model.replace(".model", ".vocab"))
        sp = sentencepiece.SentencePieceProcessor(model_file=model)
        records = []
        for t in r.sample(corpus, min(len(corpus), 250)):
            if "\0" in t or any(s in t for s in ("<s>", "</s>", "<unk>")):
                continue
            ids = sp.encode(t)
            records.append(dict(cat="unknown" if sp.unk_id() in ids else "text", text=t, ids=ids, decoded=sp.decode(ids)))
        write(os.path.join(out, name + ".jsonl.gz"), lines(records))
    os.remove(os.path.join(out, "rules.tsv"))


def cmd_pipelines(out, path):
    import sentencepiece
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    corpus = texts(path)

    def learned(model, trainer, pre):
        tok = Tokenizer(model)
        tok.pre_tokenizer = pre
        tok.train_from_iterator(corpus, trainer)
        return json.loads(tok.to_str())["model"]

    def unigram(name):
        model = train(out, "tmp", [s for t in corpus for s in t.split("\n") if s.strip()], **MODELS[name])
        sp = sentencepiece.SentencePieceProcessor(model_file=model)
        vocab = [[sp.id_to_piece(i), sp.get_score(i)] for i in range(sp.get_piece_size())]
        spec = dict(fields(open(model, "rb").read())).get(3)  # normalizer_spec
        return dict(type="Unigram", unk_id=sp.unk_id(), vocab=vocab, byte_fallback=MODELS[name].get("byte_fallback", False)), base64.b64encode(dict(fields(spec)).get(2, b"")).decode()

    letters = learned(models.BPE(unk_token="[UNK]", end_of_word_suffix="</w>"), trainers.BpeTrainer(vocab_size=700, special_tokens=["[UNK]", "[CLS]", "[SEP]"], end_of_word_suffix="</w>"), pre_tokenizers.WhitespaceSplit())
    hashed = learned(models.BPE(unk_token="[UNK]", continuing_subword_prefix="##", fuse_unk=True), trainers.BpeTrainer(vocab_size=700, special_tokens=["[UNK]", "[CLS]", "[SEP]"], continuing_subword_prefix="##"), pre_tokenizers.Whitespace())
    pieces = learned(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=900, special_tokens=["[UNK]", "[CLS]", "[SEP]"]), pre_tokenizers.BertPreTokenizer())
    byte = learned(models.BPE(), trainers.BpeTrainer(vocab_size=900, special_tokens=["[UNK]", "[CLS]", "[SEP]"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()), pre_tokenizers.ByteLevel(add_prefix_space=False))
    ruled, charsmap = unigram("unigram-rules")
    bytewise, _ = unigram("unigram-bytes")
    for x in (".model", ".vocab"):
        os.remove(os.path.join(out, "tmp" + x))
    os.remove(os.path.join(out, "rules.tsv"))

    special = [dict(id=i, content=c, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for i, c in enumerate(["[UNK]", "[CLS]", "[SEP]"])]
    sp_special = [dict(id=i, content=c, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for i, c in enumerate(["<unk>", "<s>", "</s>"])]
    js = lambda x: json.loads(x.__getstate__()) if x is not None else None
    seq = pre_tokenizers.Sequence
    bert = dict(pre=pre_tokenizers.BertPreTokenizer(), post=processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1)))
    split = lambda p, how="isolated", invert=False: pre_tokenizers.Split(Regex(p), how, invert=invert)
    bl = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    table = {
        "wp-bert": (pieces, dict(norm=normalizers.BertNormalizer(), dec=decoders.WordPiece(cleanup=True), **bert)),
        "wp-cased": (pieces, dict(norm=normalizers.BertNormalizer(lowercase=False, strip_accents=True, clean_text=False), dec=decoders.WordPiece(cleanup=False), **bert)),
        "wp-words": (pieces, dict(norm=normalizers.Lowercase(), pre=pre_tokenizers.Whitespace(), post=processors.RobertaProcessing(("[SEP]", 2), ("[CLS]", 1)))),
        "bpe-suffix": (letters, dict(norm=normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]), pre=pre_tokenizers.WhitespaceSplit())),
        "bpe-prefix": (hashed, dict(pre=pre_tokenizers.Whitespace())),
        "bl-regex": (byte, dict(pre=seq([split(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), bl]), dec=decoders.ByteLevel())),
        "bl-regex-inverted": (byte, dict(pre=seq([split(r"\w+|[^\w\s]+", "removed", True), bl]), dec=decoders.ByteLevel())),
        "bl-lookaround": (byte, dict(pre=seq([split(r"(?<=\d)(?=\p{L})|(?<=\p{Ll})(?=\p{Lu})|\s+", "merged_with_next"), bl]), dec=decoders.ByteLevel())),
        "bl-normalizer": (byte, dict(norm=normalizers.Sequence([normalizers.NFKC(), normalizers.ByteLevel()]), dec=decoders.ByteLevel())),
        "bl-punctuation": (byte, dict(pre=seq([pre_tokenizers.Punctuation("merged_with_previous"), pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=True)]), post=processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])]), dec=decoders.ByteLevel())),
        "ug-rules": (ruled, dict(norm=charsmap, pre=pre_tokenizers.Metaspace(prepend_scheme="always"), post=processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)]), dec=decoders.Metaspace())),
        "ug-nmt": (ruled, dict(norm=normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]), pre=seq([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]), dec=decoders.Metaspace())),
        "ug-bytes": (bytewise, dict(pre=pre_tokenizers.Metaspace(prepend_scheme="never", split=False), dec=decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]))),
    }
    for name, (model, parts) in table.items():
        norm = parts.get("norm")
        if isinstance(norm, str):
            norm = dict(type="Sequence", normalizers=[dict(type="Precompiled", precompiled_charsmap=norm), dict(type="Strip", strip_left=False, strip_right=True), dict(type="Replace", pattern=dict(Regex=" {2,}"), content="▁")])
        else:
            norm = js(norm)
        j = dict(version="1.0", truncation=None, padding=None, added_tokens=sp_special if model["type"] == "Unigram" else special, normalizer=norm, pre_tokenizer=js(parts.get("pre")), post_processor=js(parts.get("post")), decoder=js(parts.get("dec")), model=model)
        os.makedirs(os.path.join(out, name), exist_ok=True)
        with open(os.path.join(out, name, "tokenizer.json"), "w") as f:
            json.dump(j, f, ensure_ascii=False, separators=(",", ":"))
        Tokenizer.from_file(os.path.join(out, name, "tokenizer.json"))


def cmd_sample(out, *folders):
    for folder in folders:
        for file in sorted(os.listdir(folder)):
            name = file.removesuffix(".jsonl.gz")
            path = os.path.join(folder, name, "tokenizer.json")
            if name == file or name.endswith(".decode") or not os.path.exists(path):
                continue
            r = random.Random(name)
            for kind, count in ((".jsonl.gz", 60), (".decode.jsonl.gz", 20)):
                with gzip.open(os.path.join(folder, name + kind), "rt") as f:
                    records = [json.loads(line) for line in f]
                records = [x for x in records if x["cat"] not in ("data", "splice", "unassigned") and len(x.get("text", "")) < 400]
                write(os.path.join(out, name + kind), lines(r.sample(records, min(count, len(records)))))
            write(os.path.join(out, name, "tokenizer.json.gz"), open(path, "rb").read())


if __name__ == "__main__":
    globals()["cmd_" + sys.argv[1]](*sys.argv[2:])
