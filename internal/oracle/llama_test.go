package oracle

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/seed-5afa5581/graft/model"
)

// A llama is the graph of a Llama with adapters over one packed batch.
type llama struct {
	graph
	hyper
	batch   model.Batch
	weights func(name string) matrix
	params  map[string]*G.Node // transposed: Aᵀ [in, R], Bᵀ [R, out]

	cos, sin, rotate, mask *G.Node
}

// hyper are the model's numbers.
type hyper struct {
	hidden, layers, heads, kvHeads, width int
	eps, theta, scale                     float64
	// kv returns the key and value head of a query head.
	kv func(head, heads, kvHeads int) int
}

// newLlama returns the graph's builder, with the angles and the mask of a batch:
// positions and attention begin anew with every sequence.
func newLlama(h hyper, b model.Batch, weights func(string) matrix) *llama {
	m := &llama{graph: graph{ExprGraph: G.NewGraph()}, hyper: h, batch: b, weights: weights, params: map[string]*G.Node{}}
	tokens, half := len(b.Tokens), h.width/2
	start := func(t int) (s int) {
		for _, from := range b.Starts {
			if int(from) <= t {
				s = int(from)
			}
		}
		return s
	}
	angle := func(t, j int) float64 {
		return float64(t-start(t)) * math.Pow(h.theta, -2*float64(j%half)/float64(h.width))
	}
	m.cos = m.input(fill(tokens, h.width, func(t, j int) float64 { return math.Cos(angle(t, j)) }))
	m.sin = m.input(fill(tokens, h.width, func(t, j int) float64 { return math.Sin(angle(t, j)) }))
	m.rotate = m.input(fill(h.width, h.width, func(i, j int) float64 {
		switch {
		case i == j+half:
			return -1
		case i == j-half:
			return 1
		}
		return 0
	}))
	m.mask = m.input(fill(tokens, tokens, func(t, u int) float64 {
		if start(t) <= u && u <= t {
			return 1
		}
		return 0
	}))
	return m
}

// logits returns those of every token, [T, V].
func (m *llama) logits() *G.Node {
	table := m.weights("model.embed_tokens.weight")
	x := m.input(fill(len(m.batch.Tokens), m.hidden, func(t, j int) float64 { return table.at(int(m.batch.Tokens[t]), j) }))
	for i := range m.layers {
		at := fmt.Sprintf("model.layers.%d.", i)
		x = sum(x, m.attention(at+"self_attn.", m.norm(at+"input_layernorm", x)))
		x = sum(x, m.mlp(at+"mlp.", m.norm(at+"post_attention_layernorm", x)))
	}
	return product(m.norm("model.norm", x), m.input(m.weights("lm_head.weight").transpose()))
}

// norm is x / sqrt(mean(x²) + eps) · gain.
func (m *llama) norm(name string, x *G.Node) *G.Node {
	tokens, gain := len(m.batch.Tokens), m.weights(name+".weight")
	square := product(hadamard(x, x), m.constant(m.hidden, m.hidden, 1/float64(m.hidden)))
	root := G.Must(G.Sqrt(sum(square, m.constant(tokens, m.hidden, m.eps))))
	return hadamard(quotient(x, root), m.input(fill(tokens, m.hidden, func(t, j int) float64 { return gain.v[j] })))
}

// linear is x·Wᵀ + s·(x·Aᵀ)·Bᵀ.
func (m *llama) linear(name string, x *G.Node) *G.Node {
	u := product(x, m.param(name+".lora_A.weight"))
	branch := product(m.scaled(u, m.scale), m.param(name+".lora_B.weight"))
	return sum(product(x, m.input(m.weights(name+".weight").transpose())), branch)
}

func (m *llama) param(name string) *G.Node {
	n := m.input(m.weights(name).transpose())
	m.params[name] = n
	return n
}

func (m *llama) attention(at string, x *G.Node) *G.Node {
	q, k, v := m.linear(at+"q_proj", x), m.linear(at+"k_proj", x), m.linear(at+"v_proj", x)
	var all *G.Node
	for h := range m.heads {
		from := m.kv(h, m.heads, m.kvHeads)
		qh, kh, vh := m.rope(m.head(q, h, m.heads)), m.rope(m.head(k, from, m.kvHeads)), m.head(v, from, m.kvHeads)
		scores := product(m.scaled(qh, 1/math.Sqrt(float64(m.width))), G.Must(G.Transpose(kh)))
		e := hadamard(exp(scores), m.mask)
		p := quotient(e, product(e, m.constant(e.Shape()[1], e.Shape()[1], 1)))
		out := product(product(p, vh), m.input(m.pick(h, m.heads).transpose()))
		if all == nil {
			all = out
		} else {
			all = sum(all, out)
		}
	}
	return m.linear(at+"o_proj", all)
}

// pick returns the matrix that picks a head's columns, [heads·D, D].
func (m *llama) pick(head, heads int) matrix {
	return fill(heads*m.width, m.width, func(i, j int) float64 {
		if i == head*m.width+j {
			return 1
		}
		return 0
	})
}

func (m *llama) head(x *G.Node, head, heads int) *G.Node {
	return product(x, m.input(m.pick(head, heads)))
}

// rope turns the pairs (j, j+D/2) of a head.
func (m *llama) rope(x *G.Node) *G.Node {
	return sum(hadamard(x, m.cos), hadamard(product(x, m.rotate), m.sin))
}

// mlp is down(silu(gate(x)) · up(x)).
func (m *llama) mlp(at string, x *G.Node) *G.Node {
	gate := m.linear(at+"gate_proj", x)
	return m.linear(at+"down_proj", hadamard(hadamard(gate, G.Must(G.Sigmoid(gate))), m.linear(at+"up_proj", x)))
}

// loss is the mean of -log p(label) over the labels.
func (m *llama) loss(logits *G.Node) *G.Node {
	tokens, vocab := logits.Shape()[0], logits.Shape()[1]
	total := G.Must(G.Log(product(exp(logits), m.constant(vocab, vocab, 1))))
	of := m.labels(tokens, vocab)
	return G.Must(G.Sum(hadamard(G.Must(G.Sub(total, logits)), m.input(of))))
}

// labels has 1/labels where a row is to predict a token: the row before its
// label, within a sequence.
func (m *llama) labels(tokens, vocab int) matrix {
	n := 0
	first := map[int]bool{}
	for _, s := range m.batch.Starts {
		first[int(s)] = true
	}
	of := fill(tokens, vocab, func(i, j int) float64 { return 0 })
	for t, label := range m.batch.Labels {
		if label != model.IgnoreLabel && !first[t] {
			of.v[(t-1)*vocab+int(label)] = 1
			n++
		}
	}
	return fill(tokens, vocab, func(i, j int) float64 { return of.at(i, j) / float64(n) })
}
