package assertion

import (
	"fmt"
	"time"

	"linger"
	"linger/assert"
	"linger/compare/crowd"
)

// ofCrowdRows are the figures of each strategy of many clients that an assertion can name.
func ofCrowdRows() []assert.Figure[crowd.Row] {
	page := func(q float64, known, least func(crowd.Pages) linger.Opt[float64]) func(crowd.Row) assert.Value {
		return func(r crowd.Row) assert.Value {
			return taken(q, r.Pages.Wanted, r.Pages.Wanted-r.Pages.Loaded, known(r.Pages), least(r.Pages), "page", "pages")
		}
	}
	wait := func(q float64, known, least func(crowd.Spread) linger.Opt[float64]) func(crowd.Row) assert.Value {
		return func(r crowd.Row) assert.Value {
			if r.Waits.N == 0 {
				return assert.Unknown("when the server took connections is not recorded")
			}
			return taken(q, r.Waits.N, r.Waits.Unfinished, known(r.Waits), least(r.Waits), "connection", "connections")
		}
	}
	number := func(of func(crowd.Row) linger.Opt[float64]) func(crowd.Row) assert.Value {
		return func(r crowd.Row) assert.Value { return exactly(of(r)) }
	}
	count := func(of func(crowd.Row) int) func(crowd.Row) assert.Value {
		return func(r crowd.Row) assert.Value {
			if r.Trials == r.Lost {
				return assert.Unknown("")
			}
			return assert.Exactly(float64(of(r)))
		}
	}
	return []assert.Figure[crowd.Row]{
		assert.On("page", assert.Time, "from wanting a page to the end of its last object, median over all clients", page(0.5, func(p crowd.Pages) linger.Opt[float64] { return p.Median }, func(p crowd.Pages) linger.Opt[float64] { return p.AtLeast.Median })),
		assert.On("page_p95", assert.Time, "the time that 95 of 100 pages do not exceed", page(0.95, func(p crowd.Pages) linger.Opt[float64] { return p.P95 }, func(p crowd.Pages) linger.Opt[float64] { return p.AtLeast.P95 })),
		assert.On("page_p99", assert.Time, "the time that 99 of 100 pages do not exceed", page(0.99, func(p crowd.Pages) linger.Opt[float64] { return p.P99 }, func(p crowd.Pages) linger.Opt[float64] { return p.AtLeast.P99 })),
		assert.On("page_worst", assert.Time, "the longest time of a page", page(0, func(p crowd.Pages) linger.Opt[float64] { return p.Worst }, func(p crowd.Pages) linger.Opt[float64] { return p.AtLeast.Worst })),
		assert.On("client_p95", assert.Time, "the mean time of a client's pages that 95 of 100 clients do not exceed", func(r crowd.Row) assert.Value {
			if r.Clients.Slow.IsZero() && r.Pages.Loaded < r.Pages.Wanted {
				return assert.Unknown("not all pages were loaded")
			}
			return spent(r.Clients.Slow).Need(int(r.Clients.Came.Or(0)*float64(r.Trials-r.Lost)), assert.Least(0.95), "client")
		}),
		assert.On("pages", assert.Number, "pages that were wanted, over all trials", count(func(r crowd.Row) int { return r.Pages.Wanted })),
		assert.On("loaded", assert.Number, "pages that were loaded as a whole", count(func(r crowd.Row) int { return r.Pages.Loaded })),
		assert.On("failed", assert.Number, "pages of which a request failed", count(func(r crowd.Row) int { return r.Pages.Failed })),
		assert.On("unfinished", assert.Number, "pages that had not ended", count(func(r crowd.Row) int { return r.Pages.Unfinished })),
		assert.On("rate", assert.Number, "pages a second", number(func(r crowd.Row) linger.Opt[float64] { return r.Rate })),
		assert.On("unserved", assert.Number, "clients that never loaded a page, of a trial", number(func(r crowd.Row) linger.Opt[float64] {
			came, ok := r.Clients.Came.Get()
			if !ok {
				return linger.Opt[float64]{}
			}
			return linger.Known(came - r.Clients.Served.Or(0))
		})),
		assert.On("wait", assert.Time, "how long connections waited in the accept queue, median", wait(0.5, func(s crowd.Spread) linger.Opt[float64] { return s.Median }, func(s crowd.Spread) linger.Opt[float64] { return s.AtLeast.Median })),
		assert.On("wait_p95", assert.Time, "the wait that 95 of 100 connections do not exceed", wait(0.95, func(s crowd.Spread) linger.Opt[float64] { return s.P95 }, func(s crowd.Spread) linger.Opt[float64] { return s.AtLeast.P95 })),
		assert.On("wait_worst", assert.Time, "the longest wait", wait(0, func(s crowd.Spread) linger.Opt[float64] { return s.Worst }, func(s crowd.Spread) linger.Opt[float64] { return s.AtLeast.Worst })),
		assert.On("waited", assert.Number, "clients that waited there for longer than a page takes, of a trial", number(func(r crowd.Row) linger.Opt[float64] { return r.Clients.Waited })),
		assert.On("refused", assert.Number, "connections that were refused", count(func(r crowd.Row) int { return r.Refused })),
		assert.On("connections", assert.Number, "connections that were opened, over all trials", count(func(r crowd.Row) int { return r.Opened })),
		assert.On("connections_per_page", assert.Number, "connections opened for each page that was loaded", number(func(r crowd.Row) linger.Opt[float64] { return r.PerPage })),
		assert.On("held", assert.Number, "connections that the servers held, mean over time", number(func(r crowd.Row) linger.Opt[float64] { return r.Server.Sockets.Mean })),
		assert.On("held_p99", assert.Number, "connections that they did not exceed for 99 % of the time", number(func(r crowd.Row) linger.Opt[float64] { return r.Server.Sockets.P99 })),
		assert.On("held_peak", assert.Number, "the most that they held", number(func(r crowd.Row) linger.Opt[float64] { return r.Server.Sockets.Peak })),
		assert.On("workers", assert.Number, "connections that the servers had taken, mean over time", number(func(r crowd.Row) linger.Opt[float64] { return r.Workers.Mean })),
		assert.On("workers_peak", assert.Number, "the most that they had taken", number(func(r crowd.Row) linger.Opt[float64] { return r.Workers.Peak })),
		assert.On("queue_peak", assert.Number, "the most connections in the accept queue", number(func(r crowd.Row) linger.Opt[float64] { return r.Queue.Peak })),
		assert.On("memory", assert.Size, "what the servers' kernel held for connections, mean over time", number(func(r crowd.Row) linger.Opt[float64] { return r.Server.Memory.Mean })),
		assert.On("memory_peak", assert.Size, "the most that it held", number(func(r crowd.Row) linger.Opt[float64] { return r.Server.Memory.Peak })),
		assert.On("time_wait_server", assert.Number, "the most sockets in TIME_WAIT at the servers", number(func(r crowd.Row) linger.Opt[float64] { return r.Server.TimeWait.Peak })),
		assert.On("time_wait_client", assert.Number, "the most sockets in TIME_WAIT at the clients", number(func(r crowd.Row) linger.Opt[float64] { return r.Client.TimeWait.Peak })),
		assert.On("cpu_client", assert.Time, "CPU time of the clients, of a trial", func(r crowd.Row) assert.Value { return spent(r.Client.CPU) }),
		assert.On("cpu_server", assert.Time, "CPU time of the servers, of a trial", func(r crowd.Row) assert.Value { return spent(r.Server.CPU) }),
		assert.On("jain", assert.Number, "Jain's index of the bytes a client gets a second while it loads pages: 1 is all alike", number(func(r crowd.Row) linger.Opt[float64] { return r.Jain })),
		assert.On("uneven", assert.Number, "requests of the server that has most, over the mean of all", number(func(r crowd.Row) linger.Opt[float64] { return r.Balance.Uneven })),
		assert.On("added_share", assert.Share, "requests of the added server, over its fair share", number(func(r crowd.Row) linger.Opt[float64] { return r.Balance.Added })),
		assert.On("added_even", assert.Time, "how long after it was added it has nine tenths of that", func(r crowd.Row) assert.Value { return lasts(r.Balance.Even) }),
		assert.On("restart_handshakes", assert.Number, "the most handshakes in a second after the restart", number(func(r crowd.Row) linger.Opt[float64] { return r.Balance.Restart.Handshakes })),
		assert.On("restart_calm", assert.Time, "how long after the restart pages take as long as before", func(r crowd.Row) assert.Value { return lasts(r.Balance.Restart.Calm) }),
	}
}

// ofCrowd are the figures that there is one of.
func ofCrowd() []assert.Figure[*crowd.Result] {
	return []assert.Figure[*crowd.Result]{
		assert.On("best", assert.Text, "the strategy that serves most", func(r *crowd.Result) assert.Value {
			if r.Verdict.Best == "" {
				return assert.Unknown("none serves more than the others by more than noise")
			}
			return assert.Word(r.Verdict.Best)
		}),
		assert.On("advice", assert.Text, "what to do: keep, close, keep-for, either, not-known", func(r *crowd.Result) assert.Value { return assert.Word(r.Verdict.Advice) }),
		assert.On("idle_timeout", assert.Time, "the idle timeout that is advised", func(r *crowd.Result) assert.Value { return lasts(r.Verdict.IdleTimeout) }),
		assert.On("break_even", assert.Time, "the longest idle timeout that fits, by Little's law", func(r *crowd.Result) assert.Value { return lasts(r.Verdict.BreakEven) }),
		assert.On("caveats", assert.Number, "caveats about the figures", func(r *crowd.Result) assert.Value { return assert.Exactly(float64(len(r.Caveats))) }),
	}
}

// CrowdNames are what an assertion about many clients can name: the figures of each strategy,
// then those that there is one of.
func CrowdNames() (each, all []assert.Name) {
	return assert.EachOf(ofCrowdRows()), assert.NamesOf(ofCrowd())
}

// CrowdVocabulary is what an assertion about many clients under those strategies can name.
func CrowdVocabulary(strategies ...linger.Strategy) assert.Vocabulary {
	v := Vocabulary(strategies...)
	each, all := CrowdNames()
	v.Names = append(each, all...)
	return v
}

// CrowdFigures are what the result of many clients knows of each name.
func CrowdFigures(r *crowd.Result) assert.Figures {
	return func(name, subject string) assert.Value {
		if subject == "" {
			return assert.InTable(ofCrowd(), r)(name, subject)
		}
		for _, row := range r.Rows {
			if row.Strategy == subject {
				return assert.InTable(ofCrowdRows(), row)(name, subject)
			}
		}
		return assert.Unknown("it was not tried")
	}
}

// taken is a quantile in ms of n times, of which some did not end; what is not known may be known to
// be so much at least. A q of 0 is of all, and needs no number of samples.
func taken(q float64, n, open int, known, least linger.Opt[float64], one, several string) assert.Value {
	v, ok := known.Get()
	out := assert.Exactly(v / 1000)
	if !ok {
		out = assert.Unknown(fmt.Sprintf("%d of %d %s did not end, and it falls on one of them", open, n, several))
		if bound, bounded := least.Get(); bounded {
			out = assert.From(bound / 1000)
		} else if n == 0 {
			out = assert.Unknown("")
		}
	}
	if q == 0 {
		return out
	}
	return out.Need(n, assert.Least(q), one)
}

// lasts is a length of time that may not be known.
func lasts(d linger.Opt[time.Duration]) assert.Value {
	v, ok := d.Get()
	if !ok {
		return assert.Unknown("")
	}
	return assert.Exactly(v.Seconds())
}
