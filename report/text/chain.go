package text

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"linger/keepalive"
	"linger/report"
	"linger/report/table"
	"linger/report/words"
)

// Chain writes what was found of a chain: each pair of hops with its verdict, its
// margin, and what mends it.
func Chain(w io.Writer, c keepalive.Chain, o Options) error {
	b := bufio.NewWriter(w)
	var names []string
	for _, h := range c.Hops {
		names = append(names, table.Short(h.Name, 40))
	}
	fmt.Fprintf(b, "%s\n\n", o.paint(strings.Join(names, " > "), bold))
	probed := false
	for _, h := range c.Hops {
		if h.URL == "" {
			continue
		}
		probed = true
		text := fmt.Sprintf("%s: %s", h.Name, h.URL)
		if h.Server != "" {
			text += ", calls itself " + h.Server
		}
		if h.Software != "" {
			text += ", taken for " + h.Software
		}
		if h.RTT.Value > 0 && !h.RTT.Told {
			text += fmt.Sprintf(", round trip %s from here", h.RTT.Value)
		}
		o.write(b, text, "", "  ", plain)
	}
	if probed {
		fmt.Fprintln(b)
	}
	for _, p := range c.Pairs {
		st := bold
		if p.Verdict == keepalive.Right {
			st = green
		}
		fmt.Fprintf(b, "%s > %s: %s", table.Short(p.Opener, 30), table.Short(p.Accepter, 30), o.paint(string(p.Verdict), st))
		if m, ok := p.Margin.Get(); ok {
			fmt.Fprintf(b, ", margin %s", m)
			if n, ok := p.Trips.Get(); ok {
				fmt.Fprintf(b, ", %s round trips of %s", report.Trips(n), p.RTT.Value)
			}
		}
		fmt.Fprintln(b)
		o.write(b, words.ChainPair(p), "  ", "  ", plain)
		for i, change := range p.Changes {
			first := "  - "
			if i > 0 {
				first = "  - or "
			}
			o.write(b, words.ChainChange(change), first, "    ", plain)
		}
		for _, note := range p.Notes {
			o.write(b, words.ChainNote(note), "  note: ", "    ", plain)
		}
		fmt.Fprintln(b)
	}
	for _, d := range c.Caveats {
		o.write(b, words.Caveat(d), "doubt: ", "  ", plain)
	}
	o.write(b, "The chain is "+map[keepalive.Judgement]string{
		keepalive.Right:    "right: each pool gives up before the server behind it does.",
		keepalive.TooClose: "not safe: a pool gives up hardly sooner than the server behind it.",
		keepalive.Wrong:    "wrong: a server gives up before the pool in front of it does.",
		keepalive.Unclear:  "not known: a limit is missing.",
	}[c.Verdict], "", "", plain)
	o.asserted(b, c.Asserted)
	return b.Flush()
}
