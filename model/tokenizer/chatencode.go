package tokenizer

// EncodeChat renders a chat and returns its ids, with those tokens marked that are the assistant's: they overlap a
// span of RenderSpans. Nothing is added to what the template writes, BOS neither.
func (t *Tokenizer) EncodeChat(p *Template, c Chat, o ChatOptions) (ids []int32, mask []bool, err error) {
	text, spans, err := p.RenderSpans(c, o)
	if err != nil {
		return nil, nil, err
	}
	ids, offsets := t.EncodeOffsets(text, false)
	mask = make([]bool, len(ids))
	for i, token := range offsets {
		for len(spans) > 0 && token.Start >= spans[0].End {
			spans = spans[1:]
		}
		mask[i] = len(spans) > 0 && token.End > spans[0].Start
	}
	return ids, mask, nil
}
