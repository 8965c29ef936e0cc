package crowd

import (
	"math"
	"slices"

	"linger"
	"linger/finding"
	"linger/policy"
	"linger/stats"
	"linger/trace"
)

// mostDrawn is how many samples a row keeps for drawing.
const mostDrawn = 300

// rowOf is what the trials of one strategy come to. quick is how long a page takes where nothing
// waits, in ms: who waits longer in an accept queue, waits.
func rowOf(e *Experiment, strategy linger.Strategy, records []*trace.Crowd, quick float64) Row {
	row := Row{Strategy: strategy.Name, Persistent: strategy.Persistent}
	runs := runsOf(records)
	row.Trials, row.Lost = len(records), len(records)-len(runs)
	if len(runs) == 0 {
		return row
	}
	row.Pages = pagesOf(runs, nil)
	for _, r := range runs {
		if r.Overrun {
			row.Overrun++
		}
		one := pagesOf([]*run{r}, nil)
		slow, _ := clientMeans([]*run{r}).quantiles()
		for i, v := range []linger.Opt[float64]{slow.P95, one.P95, one.Median} {
			row.trials[i] = append(row.trials[i], v.Or(math.Inf(1)))
		}
	}
	means, pages := clientMeans(runs), pageTimes(runs)
	row.errors = [3]float64{means.standardError(0.95), pages.standardError(0.95), pages.standardError(0.5)}
	row.Rate = meanOf(runs, func(r *run) (float64, bool) {
		n := 0
		for _, v := range r.Visits {
			if loaded(v) {
				n++
			}
		}
		return float64(n) / (milliseconds(r.Ended) / 1000), r.Ended > 0
	})
	var waits tally
	for _, r := range runs {
		for _, x := range r.Connections {
			if s, ended, ok := r.queued(x); ok {
				waits.add(s.length(), ended)
			}
			if refused(e.Capacity, r, x) {
				row.Refused++
			}
		}
		row.Opened += len(r.Connections)
	}
	row.Waits = waits.spread()
	if row.Pages.Loaded > 0 {
		row.PerPage = linger.Known(float64(row.Opened) / float64(row.Pages.Loaded))
	}
	row.Clients = clientsOf(runs, quick)
	row.Each = meanOf(runs, each)
	row.Client, row.Server = sides(runs)
	row.Workers, row.Queue = queues(runs)
	row.Jain = meanOf(runs, func(r *run) (float64, bool) { return jain(rates(r)) })
	row.Shares = parts(e, runs)
	row.Balance = balanceOf(e.Crowd, runs)
	row.Little = littleOf(e.Crowd, runs)
	row.Series = thinned(runs[0].Samples, mostDrawn)
	return row
}

// runsOf are the trials that have a record.
func runsOf(records []*trace.Crowd) []*run {
	var runs []*run
	for _, c := range records {
		if c != nil {
			runs = append(runs, runOf(c))
		}
	}
	return runs
}

// meanOf is the mean of a figure over the runs that know it.
func meanOf(runs []*run, of func(*run) (float64, bool)) linger.Opt[float64] {
	var all []float64
	for _, r := range runs {
		if v, ok := of(r); ok {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return linger.Opt[float64]{}
	}
	return linger.Known(sum(all) / float64(len(all)))
}

// A tally collects lengths of time, of which some had not ended.
type tally struct{ ended, open []float64 }

func (t *tally) add(d linger.Instant, ended bool) {
	if ended {
		t.ended = append(t.ended, milliseconds(d))
	} else {
		t.open = append(t.open, milliseconds(d))
	}
}

// quantiles are by nearest rank; what is not known has its bound in least.
func (t tally) quantiles() (known, least Quantiles) {
	n := len(t.ended) + len(t.open)
	if n == 0 {
		return known, least
	}
	sample := stats.Censored(t.ended, t.open)
	// Each of the true values in their order is at least the bound of the same place.
	bounds := slices.Concat(t.ended, t.open)
	slices.Sort(bounds)
	for _, q := range []struct {
		share     float64
		of, least *linger.Opt[float64]
	}{{0.5, &known.Median, &least.Median}, {0.95, &known.P95, &least.P95}, {0.99, &known.P99, &least.P99}, {1, &known.Worst, &least.Worst}} {
		if v, ok := sample.NearestRank(q.share); ok {
			*q.of = linger.Known(v)
		} else if v := bounds[max(1, int(math.Ceil(q.share*float64(n))))-1]; v > 0 {
			*q.least = linger.Known(v)
		}
	}
	return known, least
}

// standardError is that of a quantile, by the values whose ranks are a standard deviation of the
// number of those below it away; 0 where there are none.
func (t tally) standardError(q float64) float64 {
	n := len(t.ended) + len(t.open)
	if len(t.ended) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.ended))
	off := math.Sqrt(q * (1 - q) * float64(n))
	at := func(rank float64) float64 {
		return sorted[min(max(int(math.Ceil(rank)), 1), len(sorted))-1]
	}
	middle := q * float64(n)
	return (at(middle+off) - at(middle-off)) / 2
}

func (t tally) spread() Spread {
	s := Spread{N: len(t.ended) + len(t.open), Unfinished: len(t.open)}
	s.Quantiles, s.AtLeast = t.quantiles()
	if len(t.ended) > 0 && len(t.open) == 0 { // a mean has no bound by rank
		s.Mean = linger.Known(sum(t.ended) / float64(len(t.ended)))
	}
	return s
}

// pagesOf is how long the pages took that are asked about; nil asks about all.
func pagesOf(runs []*run, about func(trace.Visit) bool) Pages {
	var p Pages
	var all tally
	var medians, open []float64
	for _, r := range runs {
		var one tally
		for _, v := range r.Visits {
			if about != nil && !about(v) {
				continue
			}
			p.Wanted++
			switch {
			case loaded(v):
				p.Loaded++
			case v.Done.IsZero():
				p.Unfinished++
			default:
				p.Failed++
			}
			one.add(r.loading(v), loaded(v))
		}
		all.ended, all.open = append(all.ended, one.ended...), append(all.open, one.open...)
		known, least := one.quantiles()
		if v, ok := known.Median.Get(); ok {
			medians = append(medians, v)
		} else if len(one.open) > 0 {
			open = append(open, least.Median.Or(0))
		}
	}
	p.Quantiles, p.AtLeast = all.quantiles()
	if len(medians)+len(open) > 1 {
		if i, ok := stats.Censored(medians, open).Interval(); ok {
			in := finding.Interval{Low: linger.Known(i.Low), Confidence: linger.Known(i.Confidence), N: len(medians) + len(open)}
			if !math.IsInf(i.High, 1) {
				in.High = linger.Known(i.High)
			}
			p.Interval = linger.Known(in)
		}
	}
	return p
}

// refused reports whether the server would not have the connection: no answer to its SYN, or
// closed in the queue; or, where it refuses what it has no room for, closed before any answer.
func refused(c policy.Capacity, r *run, x trace.CrowdConnection) bool {
	if x.Closed.IsZero() {
		return false
	}
	switch {
	case x.Established.IsZero():
		return true
	case x.ClosedBy != trace.AtServer || x.Requests > 0:
		return false
	}
	return r.takes && x.Accepted.IsZero() || c.WhenFull == policy.FullRefuse
}

// clientsOf counts clients by what became of them.
func clientsOf(runs []*run, quick float64) Clients {
	var c Clients
	var waits []float64
	came, served, waited := 0, 0, 0
	known := false
	for _, r := range runs {
		has, longest := map[int]bool{}, map[int]float64{}
		for _, v := range r.Visits {
			has[v.Client] = has[v.Client] || loaded(v)
		}
		for _, x := range r.Connections {
			if s, _, ok := r.queued(x); ok {
				known = true
				longest[x.Client] = max(longest[x.Client], milliseconds(s.length()))
			}
		}
		for client, ok := range has {
			came++
			if ok {
				served++
			}
			if longest[client] > quick {
				waited++
				waits = append(waits, longest[client])
			}
		}
	}
	each := func(n int) linger.Opt[float64] { return linger.Known(float64(n) / float64(len(runs))) }
	c.Came, c.Served = each(came), each(served)
	if known {
		c.Waited = each(waited)
	}
	if v, ok := stats.New(waits...).NearestRank(0.5); ok {
		c.Wait = linger.Known(v)
	}
	slow, _ := clientMeans(runs).quantiles()
	c.Slow = slow.P95
	return c
}

// pageTimes are those of all pages.
func pageTimes(runs []*run) (all tally) {
	for _, r := range runs {
		for _, v := range r.Visits {
			all.add(r.loading(v), loaded(v))
		}
	}
	return all
}

// clientMeans are what a page takes on average of each client; that of one of whose pages not all
// were loaded is not known.
func clientMeans(runs []*run) (all tally) {
	for _, r := range runs {
		of := map[int]*tally{}
		for _, v := range r.Visits {
			if of[v.Client] == nil {
				of[v.Client] = &tally{}
			}
			of[v.Client].add(r.loading(v), loaded(v))
		}
		for _, t := range of {
			if len(t.open) > 0 {
				all.open = append(all.open, 0)
			} else {
				all.ended = append(all.ended, sum(t.ended)/float64(len(t.ended)))
			}
		}
	}
	return all
}

// each is how many connections a client has at most at once, the mean over clients that have any.
func each(r *run) (float64, bool) {
	of := map[int][]span{}
	for i, x := range r.Connections {
		of[x.Client] = append(of[x.Client], r.client[i])
	}
	total := 0.0
	for _, spans := range of {
		var l levels
		l.addSpans(spans, r.whole)
		total += l.peak
	}
	return total / float64(max(len(of), 1)), len(of) > 0
}

// sides are what client and server held and spent.
func sides(runs []*run) (client, server Side) {
	for _, side := range []struct {
		out   *Side
		spans func(*run) []span
		held  func(trace.CrowdSample) trace.Held
		host  func(*run) linger.Opt[trace.Host]
	}{
		{&client, func(r *run) []span { return r.client }, func(s trace.CrowdSample) trace.Held { return s.Client }, func(r *run) linger.Opt[trace.Host] { return r.Client }},
		{&server, func(r *run) []span { return r.server }, func(s trace.CrowdSample) trace.Held { return s.Server }, func(r *run) linger.Opt[trace.Host] { return r.Server }},
	} {
		var sockets, timeWait, memory levels
		for _, r := range runs {
			sockets.addSpans(side.spans(r), r.whole)
			timeWait.addSamples(r.Crowd, func(s trace.CrowdSample) (float64, bool) { return float64(side.held(s).TimeWait), true })
			memory.addSamples(r.Crowd, func(s trace.CrowdSample) (float64, bool) {
				m, ok := side.held(s).Memory.Get()
				return float64(m), ok
			})
		}
		side.out.Sockets, side.out.TimeWait, side.out.Memory = sockets.level(), timeWait.level(), memory.level()
		side.out.CPU = meanOf(runs, func(r *run) (float64, bool) {
			h, ok := side.host(r).Get()
			return float64(h.CPU) / 1e6, ok
		})
		side.out.Resident = meanOf(runs, func(r *run) (float64, bool) {
			h, ok := side.host(r).Get()
			return float64(h.ResidentPeak), ok && h.ResidentPeak > 0
		})
	}
	return client, server
}

// queues are the connections that the servers have taken, and those that wait for it: by the
// records where they know when each was taken, else by samples.
func queues(runs []*run) (workers, queue Level) {
	var taken, waiting levels
	for _, r := range runs {
		if !r.takes {
			taken.addSamples(r.Crowd, func(s trace.CrowdSample) (float64, bool) {
				n, ok := s.Server.Taken.Get()
				return float64(n), ok
			})
			waiting.addSamples(r.Crowd, func(s trace.CrowdSample) (float64, bool) {
				n, ok := s.Server.Waiting.Get()
				return float64(n), ok
			})
			continue
		}
		taken.addSpans(r.taken, r.whole)
		waiting.addSpans(r.inQueue(), r.whole)
	}
	return taken.level(), waiting.level()
}

// inQueue is for how long each connection was in the accept queue, that of a client which has given
// up, too.
func (r *run) inQueue() []span {
	var out []span
	for _, x := range r.Connections {
		if s, ended, ok := r.queued(x); ok && s.length() > 0 {
			if whole, _ := r.atServer(x); !ended {
				s.to = x.Accepted.Or(whole.to)
			}
			out = append(out, s)
		}
	}
	return out
}
