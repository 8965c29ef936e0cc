package words

import (
	"fmt"
	"strings"

	"linger/compare/crowd"
	"linger/finding"
)

// ofCrowds are the sentences of what many clients come to. The first of a verdict is what to do.
func ofCrowds() table {
	return table{
		crowd.Keep:      crowdAdvice,
		crowd.Close:     crowdAdvice,
		crowd.KeepFor:   crowdAdvice,
		crowd.Either:    crowdAdvice,
		crowd.NotKnown:  crowdUnknown,
		crowd.Waiting:   crowdWaiting,
		crowd.AllServed: crowdServed,
		crowd.Unserved: func(t teller) string {
			return fmt.Sprintf("%s: %s of %s never load a page.", t.Subject.Name, t.n("unserved"), t.many("clients", "client"))
		},
		crowd.Turned: func(t teller) string {
			return fmt.Sprintf("%s: %s of %s are refused.", t.Subject.Name, t.n("refused"), t.many("opened", "connection"))
		},
		crowd.BreakEven: crowdBreakEven,
		crowd.Predicted: crowdPredicted,
		crowd.Differ:    crowdDiffer,
		crowd.Holds:     crowdHolds,
		crowd.Opens:     crowdOpens,
		crowd.TimeWaits: crowdTimeWait,
		crowd.Parts:     crowdParts,
		crowd.Unequal: func(t teller) string {
			least := ""
			if n := t.Figures.Value("clients").Or(0); n > 1 {
				least = fmt.Sprintf(", and %s if one had all", finding.Fixed(1/n, 2))
			}
			return fmt.Sprintf("%s: clients get unequal rates while they load: Jain's index is %s (it is 1 if all get the same%s).",
				t.Subject.Name, finding.Fixed(t.Figures.Value("jain").Or(0), 2), least)
		},
		crowd.Uneven: func(t teller) string {
			return fmt.Sprintf("%s: of the %s, the one with most requests has %s times the mean.", t.Subject.Name, t.many("servers", "server"), finding.Times(t.Figures.Value("uneven").Or(0)))
		},
		crowd.Added:     crowdAdded,
		crowd.Restarted: crowdRestarted,
		crowd.Law:       crowdLaw,
	}
}

// cautionsOfCrowds are the sentences of caveats about them, without a full stop.
func cautionsOfCrowds() map[reason]func(caveat) string {
	return map[reason]func(caveat) string{
		{crowd.CaveatLost, ""}: func(c caveat) string {
			return c.about("%s of %s without a record%s", c.n("lost"), c.many("trials", "trial"), inBrackets(c.Figures.Text("reason")))
		},
		{crowd.CaveatInterrupted, ""}: func(caveat) string {
			return "interrupted: the figures are of what was measured until then, and pages that were under way count as not ended"
		},
		{crowd.CaveatOverrun, ""}: func(c caveat) string {
			return c.about("the run was stopped at its bound (--timeout): %s of %s had not ended, and all times grow with the length of the run", c.n("unfinished"), c.many("pages", "page"))
		},
		{crowd.CaveatUnfinished, ""}: func(c caveat) string {
			return c.about("%s of %s had not ended, and count as longer than any", c.n("unfinished"), c.many("pages", "page"))
		},
		{crowd.CaveatFailed, ""}: func(c caveat) string {
			return c.about("%s of %s failed in part, and count as longer than any%s", c.n("failed"), c.many("pages", "page"), inBrackets(c.Figures.Text("reason")))
		},
		{crowd.CaveatFew, ""}: func(c caveat) string {
			return c.about("%s are too few to tell what 95 of 100 take; it takes %s", c.many("pages", "page"), c.n("needed"))
		},
		{crowd.CaveatLate, ""}: func(c caveat) string {
			return c.about("emulator delay jitter (p99) is %s, over %s of the round-trip time: there may be more clients than this machine carries", finding.Waited(c.Figures.Value("lateness_p99").Or(0)), finding.Share(c.Figures.Value("limit").Or(0)))
		},
		{crowd.CaveatCensus, ""}: func(c caveat) string {
			return c.about("the kernel counted %s at the server on average, and %s are recorded", finding.Plural(rounded(c.Figures.Value("counted").Or(0)), "socket"), held(c.Figures.Value("recorded").Or(0)))
		},
		{crowd.CaveatWarm, ""}: func(c caveat) string {
			return c.about("%s of the pages are the first of their clients, which open connections whatever the strategy; more visits show what keeping does later", finding.Share(c.Figures.Value("first").Or(0)))
		},
		{crowd.CaveatEvent, ""}: func(c caveat) string {
			return c.about("the run ends after %s, before a server is added or restarted (%s); have it last longer, with -z", finding.Lasting(c.Figures.Value("ended").Or(0)), finding.Lasting(c.Figures.Value("at").Or(0)))
		},
		{crowd.CaveatTrial, ""}: func(caveat) string {
			return "one trial: by how much another would differ is not known"
		},
		{crowd.CaveatModel, ""}: func(caveat) string {
			return "predicted: hosts are modelled, and have no more to do for many connections than for few (docs/simulator.md)"
		},
		{crowd.CaveatModel, crowd.CauseTimed}: func(caveat) string {
			return "what idle timeouts do is predicted, not measured (docs/simulator.md)"
		},
		{crowd.CaveatServer, crowd.CauseSaid}: func(caveat) string {
			return "the server's limits are what the flags say, and not checked; when it took each connection is not known"
		},
		{crowd.CaveatServer, crowd.CauseUnsaid}: func(caveat) string {
			return "the server's limits are not known, so that other idle timeouts are not predicted; say them as --server-workers, --idle-timeout"
		},
	}
}

// inBrackets is a reason in parentheses.
func inBrackets(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

// rounded is a mean as a count that is written without decimals where it is 10 or more.
func rounded(v float64) float64 {
	if v >= 10 {
		return float64(int(v + 0.5))
	}
	return v
}

// took is what pages of a strategy take: "take 410 ms in the median (95 of 100 within 830 ms)".
func (t teller) took(strategy, suffix string) string {
	over := false // the time that 95 of 100 do not exceed is not known
	quantile := func(name string) string {
		for _, f := range t.Figures.All(name + suffix) {
			if f.Of != strategy {
				continue
			}
			if v, ok := f.Value.Get(); ok {
				return finding.Duration(v, 0)
			}
			if i, ok := f.Interval.Get(); ok {
				over = name == "p95"
				return "over " + finding.Duration(i.Low.Or(0), 0)
			}
			return "no known time"
		}
		return ""
	}
	median, p95 := quantile("median"), quantile("p95")
	text := "have no time"
	switch {
	case median == "":
	case p95 == "":
		text = "take " + median
	case over:
		text = fmt.Sprintf("take %s in the median (5 of 100 %s)", median, p95)
	default:
		text = fmt.Sprintf("take %s in the median (95 of 100 within %s)", median, p95)
	}
	if f := figureOf(t.Finding, "loaded", strategy); suffix == "" && f.Value.Or(1) < 1 {
		text += fmt.Sprintf(", and only %s are loaded", finding.SharpShare(f.Value.Or(1)))
	}
	return text
}

// laggards tells of the clients that wait most, where pages alone do not show it.
func (t teller) laggards(strategy, other string) string {
	mine, theirs := figureOf(t.Finding, "slow", strategy).Value, figureOf(t.Finding, "slow", other).Value.Or(0)
	if v, ok := mine.Get(); ok && theirs > 0 && v > 2*theirs {
		return fmt.Sprintf(", and one client of 20 waits %s or more for a page on average", finding.Duration(v, 0))
	}
	return ""
}

func crowdAdvice(t teller) string {
	idle := finding.Lasting(t.Figures.Value("idle_timeout").Or(0))
	first, suffix := t.Subject.Name, ""
	others := t.Figures.All("other")
	var head string
	switch t.Code {
	case crowd.Keep:
		head = "Keep connections"
	case crowd.Close:
		head = "Close connections"
	case crowd.KeepFor:
		head, suffix = "Keep connections, but idle for "+idle+" at most", "_foreseen"
	default:
		head = "Pages take the same whether connections are kept or closed"
	}
	parts := []string{fmt.Sprintf("with %s, pages %s", first, t.took(first, ""))}
	if t.Code == crowd.KeepFor {
		parts[0] = fmt.Sprintf("with %s and that idle timeout, pages are predicted to %s", first, t.took(first, suffix))
	}
	for _, o := range others {
		with := "with " + o.Text
		if t.Code == crowd.KeepFor && o.Text == first {
			with += " as it is"
		}
		parts = append(parts, fmt.Sprintf("%s they %s%s", with, t.took(o.Text, ""), t.laggards(o.Text, first)))
	}
	text := head + ": " + strings.Join(parts, "; ") + "."
	switch t.Cause {
	case crowd.CauseWorkers:
		return text + " Kept connections take up the server's room while they are idle."
	case crowd.CauseServers:
		return text + " Kept connections stay with the servers that they were opened to, so that the load is uneven."
	case crowd.CauseShares:
		return text + " Kept connections give some clients more of the link than others."
	case crowd.CauseHandshakes:
		return text + " What is closed has to be opened again, which takes round trips."
	case crowd.CauseMemory:
		return text + " Closed, the server's kernel holds less for them."
	}
	return text
}

func crowdUnknown(t teller) string {
	switch t.Cause {
	case crowd.CauseNothing:
		return "No strategy loaded a page, so there is nothing to compare."
	case crowd.CauseFew:
		return "Whether to keep connections is not known: there are too few pages to tell."
	case crowd.CauseOverrun:
		return "No strategy loads half of the pages, so that neither keeping nor closing can be advised: the servers have too little room, or too little time."
	}
	first := t.Subject.Name
	if t.Cause == crowd.CauseParallel {
		other := t.Figures.Text("other")
		return fmt.Sprintf("Whether to keep connections is not known, as no strategy that keeps them has as many requests under way as %s: with that, pages %s; with %s they %s.", other, t.took(other, ""), first, t.took(first, ""))
	}
	return fmt.Sprintf("Whether to keep connections is not known, as nothing else was tried: with %s, pages %s.", first, t.took(first, ""))
}

// places are what the servers have room for: "20 workers".
func (t teller) places(cause string) string {
	if cause == crowd.CauseLimit {
		return fmt.Sprintf("the %s that may be open", t.many("limit", "connection"))
	}
	return t.many("limit", "worker")
}

func crowdWaiting(t teller) string {
	if t.Cause == crowd.CauseQueue {
		return fmt.Sprintf("%s: %s on average, and %s at most, wait in the accept queue for the server to take them.",
			t.Subject.Name, finding.Plural(rounded(t.Figures.Value("mean").Or(0)), "connection"), t.n("peak"))
	}
	text := fmt.Sprintf("%s: %s of %s %s in the accept queue, the longest wait of each being %s in the median",
		t.Subject.Name, t.n("waited"), t.many("clients", "client"), verb(int(t.Figures.Value("waited").Or(0)), "waits", "wait"), finding.Duration(t.Figures.Value("wait").Or(0), 0))
	if t.Figures.Value("limit").IsZero() {
		return text + "."
	}
	if v, ok := t.Figures.Value("held").Get(); ok {
		return fmt.Sprintf("%s; at the peak, %s of %s are held.", text, whole(v), t.places(t.Cause))
	}
	return fmt.Sprintf("%s, for one of %s.", text, t.places(t.Cause))
}

func crowdServed(t teller) string {
	if t.Cause == crowd.CauseQueue {
		if n := t.Figures.Value("peak").Or(0); n > 0 {
			return fmt.Sprintf("%s: few connections wait in the server's accept queue, %s at most.", t.Subject.Name, whole(n))
		}
		return fmt.Sprintf("%s: no connection was seen in the server's accept queue: it takes each at once.", t.Subject.Name)
	}
	n := t.Figures.Value("waited").Or(0)
	who := t.n("waited")
	if n == 0 {
		who = "none"
	}
	text := fmt.Sprintf("%s: %s of %s %s in the accept queue for longer than a page takes", t.Subject.Name, who, t.many("clients", "client"), verb(int(max(n, 1)), "waits", "wait"))
	if v, ok := t.Figures.Value("held").Get(); ok {
		text += fmt.Sprintf("; at the peak, %s of %s places are held", whole(v), t.n("limit"))
	}
	return text + "."
}

func crowdBreakEven(t teller) string {
	number := func(name string) float64 { return t.Figures.Value(name).Or(0) }
	load := fmt.Sprintf("%s pages a second, each on %s for %s", finding.Trimmed(number("rate"), 1), finding.Plural(rounded(number("each")), "connection"), finding.Duration(number("service"), 0))
	switch t.Cause {
	case crowd.CauseAny:
		return fmt.Sprintf("By Little's law any idle timeout fits: without one, clients hold %s at most, and there is room for %s.", finding.Plural(rounded(number("held")), "connection"), t.n("limit"))
	case crowd.CauseNone:
		return fmt.Sprintf("By Little's law not even closing at once fits: %s, hold %s, and there is room for %s.", load, finding.Plural(rounded(number("held")), "connection"), t.n("limit"))
	}
	return fmt.Sprintf("By Little's law an idle timeout of %s is the longest that fits: %s and the timeout, hold the %s that there is room for.", finding.Duration(number("idle_timeout"), 0), load, t.many("limit", "connection"))
}

func crowdPredicted(t teller) string {
	timeout := "no idle timeout is needed"
	if v, ok := t.Figures.Value("idle_timeout").Get(); ok {
		timeout = fmt.Sprintf("of the idle timeouts tried, %s is the longest that serves as well as the best", finding.Lasting(v))
	}
	suffix := ""
	if _, foreseen := t.Figures.Get("median_foreseen"); foreseen {
		suffix = "_foreseen"
	}
	return fmt.Sprintf("Predicted for %s: %s; pages %s.", t.Subject.Name, timeout, t.took(t.Subject.Name, suffix))
}

func crowdDiffer(t teller) string {
	law := finding.Duration(t.Figures.Value("law").Or(0), 0)
	switch t.Cause {
	case crowd.CauseBursts:
		return fmt.Sprintf("The predicted timeout is shorter than by Little's law (%s), which is of means: what comes by chance is above them half of the time, and waits.", law)
	case crowd.CauseSaturate:
		return fmt.Sprintf("The predicted timeout is longer than by Little's law (%s): clients that wait ask for less, so that less is held than the law expects.", law)
	}
	return fmt.Sprintf("The predicted timeout is longer than by Little's law (%s): more would be held than there is room for, but few pages wait for it.", law)
}

// heldBy is what a server holds for a strategy: "48 connections on average (50 at most, 4.8 MB)".
func (t teller) heldBy(strategy string) string {
	text := finding.Plural(rounded(figureOf(t.Finding, "sockets", strategy).Value.Or(0)), "connection") + " on average"
	var more []string
	if v, ok := figureOf(t.Finding, "peak", strategy).Value.Get(); ok {
		more = append(more, whole(v)+" at most")
	}
	if v, ok := figureOf(t.Finding, "memory", strategy).Value.Get(); ok && v > 0 {
		more = append(more, finding.Bytes(v)+" in the kernel on average")
	}
	if len(more) > 0 {
		text += " (" + strings.Join(more, ", ") + ")"
	}
	return text
}

func crowdHolds(t teller) string {
	other := t.Figures.Text("other")
	return fmt.Sprintf("The server holds %s with %s, and %s with %s.", t.heldBy(t.Subject.Name), t.Subject.Name, t.heldBy(other), other)
}

func crowdOpens(t teller) string {
	one := func(strategy string) string {
		text := "no page"
		if v, ok := figureOf(t.Finding, "per_page", strategy).Value.Get(); ok {
			text = finding.Trimmed(v, map[bool]int{true: 2, false: 1}[v < 1]) + " a page"
		}
		if v, ok := figureOf(t.Finding, "cpu", strategy).Value.Get(); ok {
			text += fmt.Sprintf(" (%s of the server's CPU)", finding.Waited(v))
		}
		return text
	}
	other := t.Figures.Text("other")
	return fmt.Sprintf("Connections opened: %s with %s, %s with %s.", one(t.Subject.Name), t.Subject.Name, one(other), other)
}

func crowdTimeWait(t teller) string {
	var parts []string
	for _, side := range []struct{ name, at string }{{"server", "at the server"}, {"client", "at the clients"}} {
		if v := t.Figures.Value(side.name).Or(0); v > 0 {
			parts = append(parts, whole(v)+" "+side.at)
		}
	}
	return fmt.Sprintf("%s: sockets in TIME_WAIT at most: %s.", t.Subject.Name, list(parts))
}

func crowdParts(t teller) string {
	part, other := t.Figures.Text("part"), t.Figures.Text("other")
	rate := func(of string) string {
		return finding.Bytes(figureOf(t.Finding, "rate", of).Value.Or(0)) + "/s"
	}
	text := fmt.Sprintf("While it loads, a client with %s gets %s times what one with %s gets: %s, and %s", part, finding.Times(t.Figures.Value("ratio").Or(0)), other, rate(part), rate(other))
	mine, ok := figureOf(t.Finding, "median", part).Value.Get()
	theirs, ok2 := figureOf(t.Finding, "median", other).Value.Get()
	if ok && ok2 {
		text += fmt.Sprintf("; pages take %s and %s in the median", finding.Duration(mine, 0), finding.Duration(theirs, 0))
	}
	return text + "."
}

func crowdAdded(t teller) string {
	share := finding.Share(t.Figures.Value("share").Or(0))
	last := ""
	if v, ok := t.Figures.Value("last").Get(); ok {
		last = fmt.Sprintf(", and %s at the end", finding.Share(v))
	}
	if t.Cause == crowd.CauseNever {
		return fmt.Sprintf("%s: the added server never gets its share: %s of a fair one since it is there%s.", t.Subject.Name, share, last)
	}
	return fmt.Sprintf("%s: the added server has its share within %s: %s of a fair one since it is there%s.", t.Subject.Name, finding.Lasting(t.Figures.Value("even").Or(0)), share, last)
}

func crowdRestarted(t teller) string {
	text := fmt.Sprintf("%s: after the restart there are up to %s a second (%s before)", t.Subject.Name, t.many("handshakes", "handshake"), t.n("before"))
	if v := t.Figures.Value("queue").Or(0); v > 0 {
		text += fmt.Sprintf(" and %s in the accept queue", finding.Plural(v, "connection"))
	}
	after, known := t.Figures.Value("calm").Get()
	switch {
	case known && after == 0:
		return text + "; pages take no longer than before."
	case known:
		return fmt.Sprintf("%s; pages take as long as before after %s.", text, finding.Duration(after, 0))
	}
	return text + "; whether pages take as long as before again is not known."
}

func crowdLaw(t teller) string {
	number := func(name string) float64 { return t.Figures.Value(name).Or(0) }
	law := fmt.Sprintf("%s a second, held for %s on average, make %s; %s were held", finding.Plural(rounded(number("rate")), "connection"), finding.Duration(number("time"), 0), held(number("predicted")), held(number("held")))
	switch t.Cause {
	case crowd.LittleNone:
		return fmt.Sprintf("%s: Little's law is not applied, since no connection was opened.", t.Subject.Name)
	case crowd.LittleShort:
		return fmt.Sprintf("%s: Little's law is not applied, since the run has no steady part of 20 connections.", t.Subject.Name)
	case crowd.LittleKept:
		return fmt.Sprintf("%s: Little's law is not applied, since connections stay open to the end, and how long they are held is not known.", t.Subject.Name)
	case crowd.LittleGrowing:
		return fmt.Sprintf("%s: Little's law is for what is steady, and more and more are held: %s.", t.Subject.Name, law)
	case crowd.LittleFalling:
		return fmt.Sprintf("%s: Little's law is for what is steady, and fewer and fewer are held: %s.", t.Subject.Name, law)
	case crowd.LittleWaves:
		return fmt.Sprintf("%s: Little's law is for what is steady, and connections come in waves, too few of them for a rate: %s.", t.Subject.Name, law)
	}
	return fmt.Sprintf("%s: by Little's law, %s.", t.Subject.Name, law)
}
