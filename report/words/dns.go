package words

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"linger/compare"
	"linger/finding"
)

// spread is how the times of the queries of one strategy are distributed, as far up as
// that is known.
func (t teller) spread(of string) string {
	quantile := func(name string) (float64, bool) {
		i := slices.IndexFunc(t.Figures, func(f finding.Figure) bool { return f.Name == name && f.Of == of })
		if i < 0 {
			return 0, false
		}
		return t.Figures[i].Value.Get()
	}
	v, _ := quantile("query_median")
	s := finding.Duration(v, 0) + " (median"
	for _, name := range []string{"p99", "p95"} {
		if v, ok := quantile("query_" + name); ok {
			return s + "; " + name + " " + finding.Duration(v, 0) + ")"
		}
	}
	return s + ")"
}

// others is the strategy, besides the subject, whose queries' times are known; empty
// where there is none.
func (t teller) other() string {
	for _, f := range t.Figures.All("query_median") {
		if f.Of != t.Subject.Name {
			return f.Of
		}
	}
	return ""
}

func queryTimes(t teller) string {
	s := fmt.Sprintf("A single query takes %s over %s", t.spread(t.Subject.Name), t.Subject.Name)
	if other := t.other(); other != "" {
		s += fmt.Sprintf(", and %s over %s", t.spread(other), other)
	}
	return s + "."
}

func furtherQuery(t teller) string {
	var parts []string
	for pair := range slices.Chunk(t.Figures.All("query_bytes"), 2) {
		kept, alone := pair[0], nth(pair, 1)
		parts = append(parts, fmt.Sprintf("%s over %s instead of %s over %s", finding.Bytes(kept.Value.Or(0)), kept.Of, finding.Bytes(alone.Value.Or(0)), alone.Of))
	}
	return fmt.Sprintf("Keep-alive pays from the second query on: each additional query takes %s.", strings.Join(parts, "; "))
}

// ratio is how many times the second of two figures the first one is.
func ratio(f finding.Figures) string {
	return finding.Fixed(nth(f, 0).Value.Or(0)/nth(f, 1).Value.Or(1), 1)
}

func encryption(t teller) string {
	each := t.Figures.All("bytes_per_query")
	s := fmt.Sprintf("Encryption: %s takes %s times the bytes of %s", nth(each, 0).Of, ratio(each), nth(each, 1).Of)
	if more, ok := t.Figures.Value("more_round_trips").Get(); ok {
		s += fmt.Sprintf(" and %s more", rtts(more))
	}
	if further := t.Figures.All("query_bytes"); len(further) == 2 {
		s += fmt.Sprintf("; each additional query over %s takes %s times the bytes of one over %s", further[0].Of, ratio(further), further[1].Of)
	}
	return s + "."
}

func fewerBytes(t teller) string {
	var names []string
	for _, f := range t.Figures.All("from_queries") {
		names = append(names, fmt.Sprintf("%s (from about %s)", f.Of, finding.Plural(f.Value.Or(0), "query")))
	}
	why := ""
	switch t.Cause {
	case compare.CauseTruncated:
		why = ", whose truncated answers are asked for again"
	case compare.CauseShared:
		why = ": several messages share a packet"
	}
	return fmt.Sprintf("On a kept connection %s %s fewer bytes per query than udp%s.", list(names), verb(len(names), "takes", "take"), why)
}

func neverFewerBytes(t teller) string {
	var names []string
	least, most := math.Inf(1), 0.0
	for _, f := range t.Figures.All("times_udp") {
		names = append(names, f.Of)
		least, most = min(least, f.Value.Or(0)), max(most, f.Value.Or(0))
	}
	times := finding.Fixed(least, 1)
	if s := finding.Fixed(most, 1); s != times {
		times += " to " + s
	}
	return fmt.Sprintf("%s %s fewer bytes than udp, however many queries a connection carries: %s times its %s per query.",
		list(names), verb(len(names), "never takes", "never take"), times, finding.Bytes(t.Figures.Value("bytes_per_query").Or(0)))
}

func askedAgain(t teller) string {
	s := fmt.Sprintf("udp retransmitted %s after a second or more: its queries take %s",
		finding.Plural(t.Figures.Value("retransmitted").Or(0), "query"), t.spread(t.Subject.Name))
	if other := t.other(); other != "" {
		s += fmt.Sprintf("; those over tcp, which retransmits by itself, %s", t.spread(other))
	}
	return s + "."
}

func truncated(t teller) string {
	return fmt.Sprintf("%s: %s of %s were truncated and asked for again over TCP, which takes 3 RTTs in all.",
		t.Subject.Name, whole(t.Figures.Value("truncated").Or(0)), finding.Plural(t.Figures.Value("asked").Or(0), "answer"))
}

func oneAtATime(t teller) string {
	serial, free := t.times()
	return fmt.Sprintf("%s sends one query at a time, %s all at once, which is %s%s faster%s.", serial.Of, free.Of, apart(serial, free), share(free, serial), t.noise())
}

// An idleness is what is known of how long a server lets a connection be without a
// query: what it announced, or after what time it was seen to close one, in ms; neither
// is not known.
type idleness struct {
	ms              float64
	announced, seen bool
}

func idleLimit(t teller) string {
	over := map[idleness][]string{}
	var all []idleness
	for _, f := range t.Figures {
		if f.Name == "rtt" {
			continue
		}
		var i idleness
		if v, ok := f.Value.Get(); ok {
			i = idleness{v, f.Name == "idle_limit", f.Name == "closed_idle_after"}
		}
		if over[i] == nil {
			all = append(all, i)
		}
		over[i] = append(over[i], f.Of)
	}
	rtt := t.Figures.Value("rtt").Or(0)
	if len(all) == 1 {
		return idling(all[0], rtt)
	}
	var parts []string
	for _, i := range all {
		parts = append(parts, list(over[i])+" "+idleGap(i, rtt))
	}
	return fmt.Sprintf("Keep-alive pays for gaps between queries of up to: %s.", strings.Join(parts, "; "))
}

// idling tells it where it is the same of all kept strategies.
func idling(i idleness, rtt float64) string {
	// A query takes a round trip to reach the server and its answer to come back.
	gap := "that less an RTT"
	if rtt > 0 {
		gap = finding.Duration(i.ms-rtt, 0)
	}
	switch {
	case i.announced && i.ms > rtt:
		return fmt.Sprintf("The server announces an idle timeout of %s: keep-alive pays for gaps between queries of up to %s; after a longer one the next query pays the setup again.",
			finding.Duration(i.ms, 0), gap)
	case i.announced:
		return "The server announces that connections may not idle: keep-alive pays only while queries follow one another."
	case i.seen:
		return fmt.Sprintf("The server announced no idle timeout, and closed connections that had been idle for %s: keep-alive pays for gaps between queries of up to %s.", finding.Duration(i.ms, 0), gap)
	}
	return "Up to which gap between queries keep-alive pays is not known: the server announced no idle timeout, and closed no idle connection."
}

// idleGap is the same in a few words.
func idleGap(i idleness, rtt float64) string {
	limit, gap := finding.Duration(i.ms, 0), finding.Duration(i.ms-rtt, 0)
	switch {
	case i.announced && i.ms <= rtt:
		return fmt.Sprintf("none (the server announced %s)", limit)
	case i.announced && rtt == 0:
		return fmt.Sprintf("%s less an RTT (the server announced it)", limit)
	case i.announced:
		return fmt.Sprintf("%s (the server announced %s)", gap, limit)
	case i.seen && rtt == 0:
		return fmt.Sprintf("%s less an RTT (the server then closed)", limit)
	case i.seen:
		return fmt.Sprintf("%s (the server closed after %s)", gap, limit)
	}
	return "not known"
}
