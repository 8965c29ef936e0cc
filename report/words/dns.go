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
	s := finding.Duration(v, 0) + " at the median"
	if v, ok := quantile("query_p99"); ok {
		return s + " and " + finding.Duration(v, 0) + " or less in 99 of 100"
	}
	if v, ok := quantile("query_p95"); ok {
		return s + " and " + finding.Duration(v, 0) + " or less in 95 of 100"
	}
	return s
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
	s := fmt.Sprintf("A single one takes %s over %s", t.spread(t.Subject.Name), t.Subject.Name)
	if other := t.other(); other != "" {
		s += fmt.Sprintf(", and %s over %s", t.spread(other), other)
	}
	return s + "."
}

func furtherQuery(t teller) string {
	var parts []string
	for pair := range slices.Chunk(t.Figures.All("query_bytes"), 2) {
		kept, alone := pair[0], nth(pair, 1)
		parts = append(parts, fmt.Sprintf("%s over %s, not the %s of %s", finding.Bytes(kept.Value.Or(0)), kept.Of, finding.Bytes(alone.Value.Or(0)), alone.Of))
	}
	return fmt.Sprintf("Keeping pays from the second query on: a further one takes %s.", strings.Join(parts, "; "))
}

// ratio is how many times the second of two figures the first one is.
func ratio(f finding.Figures) string {
	return finding.Fixed(nth(f, 0).Value.Or(0)/nth(f, 1).Value.Or(1), 1)
}

func encryption(t teller) string {
	each := t.Figures.All("bytes_per_query")
	s := fmt.Sprintf("Encryption: %s takes %s times the bytes of %s", nth(each, 0).Of, ratio(each), nth(each, 1).Of)
	if more, ok := t.Figures.Value("more_round_trips").Get(); ok {
		s += fmt.Sprintf(" and %s more", roundTrips(more))
	}
	if further := t.Figures.All("query_bytes"); len(further) == 2 {
		s += fmt.Sprintf(", a further query over %s %s times that of %s", further[0].Of, ratio(further), further[1].Of)
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
		why = ", whose answers did not fit and were asked for again"
	case compare.CauseShared:
		why = ": several messages share a packet"
	}
	return fmt.Sprintf("On a kept connection %s %s fewer bytes a query than udp%s.", list(names), verb(len(names), "takes", "take"), why)
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
	return fmt.Sprintf("%s %s fewer bytes than udp, however many queries a connection carries: each takes %s times its %s.",
		list(names), verb(len(names), "never takes", "never take"), times, finding.Bytes(t.Figures.Value("bytes_per_query").Or(0)))
}

func askedAgain(t teller) string {
	s := fmt.Sprintf("udp asked %s again, a second or more after the first time: its queries take %s",
		finding.Plural(t.Figures.Value("sent_again").Or(0), "query"), t.spread(t.Subject.Name))
	if other := t.other(); other != "" {
		s += fmt.Sprintf("; those of tcp, which sends again by itself, %s", t.spread(other))
	}
	return s + "."
}

func truncated(t teller) string {
	return fmt.Sprintf("%s: %s of %s did not fit into a datagram and were asked for again over TCP, which takes three round trips in all.",
		t.Subject.Name, whole(t.Figures.Value("truncated").Or(0)), finding.Plural(t.Figures.Value("asked").Or(0), "answer"))
}

func oneAtATime(t teller) string {
	serial, free := t.times()
	return fmt.Sprintf("%s asks one query at a time, %s all at once, which takes %s%s less%s.", serial.Of, free.Of, apart(serial, free), share(free, serial), t.noise())
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
	return fmt.Sprintf("Up to which gap between two queries keeping pays: %s.", strings.Join(parts, "; "))
}

// idling tells it where it is the same of all kept strategies.
func idling(i idleness, rtt float64) string {
	// A query takes a round trip to reach the server and its answer to come back.
	gap := "that less a round trip"
	if rtt > 0 {
		gap = finding.Duration(i.ms-rtt, 0)
	}
	switch {
	case i.announced && i.ms > rtt:
		return fmt.Sprintf("The server lets an idle connection be for %s, it says: up to gaps of %s keeping pays; after a longer one the next query pays the set-up again.",
			finding.Duration(i.ms, 0), gap)
	case i.announced:
		return "The server says that a connection may not be idle: keeping pays only while queries follow one another."
	case i.seen:
		return fmt.Sprintf("The server announced no idle limit, and closed connections that had been idle for %s: up to gaps of %s keeping pays.", finding.Duration(i.ms, 0), gap)
	}
	return "Up to which gap between two queries keeping pays is not known: the server announced no idle limit, and closed no idle connection."
}

// idleGap is the same in a few words.
func idleGap(i idleness, rtt float64) string {
	limit, gap := finding.Duration(i.ms, 0), finding.Duration(i.ms-rtt, 0)
	switch {
	case i.announced && i.ms <= rtt:
		return fmt.Sprintf("none (the server announced %s)", limit)
	case i.announced && rtt == 0:
		return fmt.Sprintf("%s, less a round trip (the server announced it)", limit)
	case i.announced:
		return fmt.Sprintf("%s (the server announced %s)", gap, limit)
	case i.seen && rtt == 0:
		return fmt.Sprintf("%s, less a round trip (the server then closed)", limit)
	case i.seen:
		return fmt.Sprintf("%s (the server closed after %s)", gap, limit)
	}
	return "not known"
}
