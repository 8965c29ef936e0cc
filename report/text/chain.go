package text

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"linger/finding"
	"linger/keepalive"
	"linger/report/table"
	"linger/report/terminal"
	"linger/report/words"
)

// links are how many changes and how many notes of each pair are shown: tried until one
// fits on a screen.
var links = [][2]int{{9, 9}, {9, 0}, {1, 0}}

// Chain writes what was found of a chain: the verdict, then each pair of hops with its own,
// its margin, and what mends it. It fits on a screen where the chain is short.
func Chain(w io.Writer, c keepalive.Chain, o Options) error {
	if o.IsWide() {
		return o.Buffered(w, func(b *bufio.Writer) { o.chain(b, c, links[0]) })
	}
	return o.Fitting(w, len(links), func(b *bufio.Writer, i int) { o.chain(b, c, links[i]) })
}

func (o Options) chain(b *bufio.Writer, c keepalive.Chain, show [2]int) {
	var names []string
	for _, h := range c.Hops {
		names = append(names, table.Short(h.Name, 40))
	}
	o.Write(b, strings.Join(names, " > "), "", "", terminal.Bold)
	o.Write(b, verdicts[c.Verdict], "", "", terminal.Plain)
	o.chainHops(b, c)
	left := 0
	for _, p := range c.Pairs {
		changes, notes := min(show[0], len(p.Changes)), min(show[1], len(p.Notes))
		left += len(p.Changes) - changes + len(p.Notes) - notes
		p.Changes, p.Notes = p.Changes[:changes], p.Notes[:notes]
		o.chainPair(b, p)
	}
	if left > 0 {
		b.WriteString(o.Paint(fmt.Sprintf("%d alternatives and notes more: --wide", left), terminal.Faint) + "\n")
	}
	o.asserted(b, c.Asserted)
	o.caveats(b, c.Caveats)
}

var verdicts = map[keepalive.Judgement]string{
	keepalive.Right:    "Right: each hop closes its idle connections before the server behind it does.",
	keepalive.TooClose: "Not safe: a hop closes its idle connections hardly sooner than the server behind it.",
	keepalive.Wrong:    "Wrong: a server closes idle connections before the hop in front of it does.",
	keepalive.Unclear:  "Not known: a timeout is missing.",
}

// chainHops says what was found of the hops that were probed.
func (o Options) chainHops(b *bufio.Writer, c keepalive.Chain) {
	first := true
	for _, h := range c.Hops {
		if h.URL == "" {
			continue
		}
		if first {
			b.WriteString("\n")
			first = false
		}
		text := fmt.Sprintf("%s: %s", h.Name, h.URL)
		if h.Server != "" {
			text += ", Server: " + h.Server
		}
		if h.Software != "" {
			text += ", taken for " + h.Software
		}
		if h.RTT.Value > 0 && !h.RTT.Told {
			text += fmt.Sprintf(", RTT %s from here", h.RTT.Value)
		}
		o.Write(b, text, "", "  ", terminal.Plain)
	}
}

// chainPair writes a pair: its verdict, its margin, and what mends it.
func (o Options) chainPair(b *bufio.Writer, p keepalive.Pair) {
	st := terminal.Bold
	if p.Verdict == keepalive.Right {
		st = terminal.Green
	}
	fmt.Fprintf(b, "\n%s > %s: %s", table.Short(p.Opener, 30), table.Short(p.Accepter, 30), o.Paint(string(p.Verdict), st))
	if m, ok := p.Margin.Get(); ok {
		fmt.Fprintf(b, ", margin %s", m)
		if n, ok := p.Trips.Get(); ok {
			fmt.Fprintf(b, " (%s RTTs of %s)", finding.RTTs(n), p.RTT.Value)
		}
	}
	b.WriteString("\n")
	o.Write(b, words.ChainPair(p), "  ", "  ", terminal.Plain)
	for i, change := range p.Changes {
		first := "  > "
		if i > 0 {
			first = "  > or "
		}
		o.Write(b, words.ChainAdvice(change), first, "    ", terminal.Plain)
		if where := words.ChainPlace(change); where != "" {
			o.Write(b, where+":", "    ", "    ", terminal.Plain)
			// Not wrapped, so that it can be copied in one piece.
			b.WriteString("      " + o.Paint(table.Clean(change.Write), terminal.Green) + "\n")
		}
	}
	for _, note := range p.Notes {
		o.Write(b, words.ChainNote(note), "  note: ", "    ", terminal.Plain)
	}
}
