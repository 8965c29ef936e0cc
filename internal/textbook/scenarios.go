package textbook

import (
	"slices"
	"time"

	"linger"
	"linger/trace"
)

// Verdicts are experiments by what there is to find in them.
var Verdicts = map[string]func() trace.Experiment{
	"kept is better": func() trace.Experiment { return Experiment("close,keep", 5) },
	"no difference": func() trace.Experiment {
		return Scaled(Scaled(Experiment("close,keep", 5), 0, 1, 1.01, .99, 1.02, .98), 1, 2.15, 2.2, 2.1, 2.25, 2.05)
	},
	"kept is worse":                  func() trace.Experiment { return Scaled(Experiment("close,keep", 5), 1, 3) },
	"too few trials":                 func() trace.Experiment { return Experiment("close,keep", 2) },
	"one trial":                      func() trace.Experiment { return Experiment("close,keep", 1) },
	"few trials, nothing to be told": func() trace.Experiment { return Scaled(Scaled(Experiment("close,keep,keep:6", 2), 1, 2.1, 2.15), 2, 9) },
	"few trials of a pair only": func() trace.Experiment {
		in := Experiment("close,close:6,keep:6,pipeline", 5)
		in.Traces[2] = in.Traces[2][:2]
		return in
	},
	"one trial, the kept one slower":                 func() trace.Experiment { return Scaled(Experiment("close:6,keep:6,pipeline", 1), 1, 2) },
	"three trials, the kept one slower":              func() trace.Experiment { return Scaled(Experiment("close:6,keep:6,pipeline", 3), 1, 2) },
	"three trials, the kept pair slower":             func() trace.Experiment { return Scaled(Experiment("close,close:6,keep:6,pipeline", 3), 2, 2) },
	"another number of connections":                  func() trace.Experiment { return Experiment("close:6,keep", 5) },
	"the pair is worse, another is the fastest kept": func() trace.Experiment { return Scaled(Scaled(Experiment("close:6,keep:6,keep", 5), 1, 4), 0, 1) },
	"the parts add up":                               func() trace.Experiment { return Scaled(Experiment("close,keep,pipeline", 5), 1, .97) },
	"no slow start in a segment":                     func() trace.Experiment { return Small(Experiment("close,keep,pipeline", 5)) },
	"one strategy":                                   func() trace.Experiment { return Experiment("close", 5) },
	"one kept strategy":                              func() trace.Experiment { return Experiment("keep", 5) },
	"no non-persistent one":                          func() trace.Experiment { return Experiment("keep,keep:6", 5) },
	"no persistent one":                              func() trace.Experiment { return Experiment("close,close:6", 5) },
	"no persistent one, the baseline best":           func() trace.Experiment { return Experiment("close:6,close", 5) },
	"parallel pairs":                                 func() trace.Experiment { return Experiment("close,close:6,keep:6", 5) },
	"a pair that is not the best":                    func() trace.Experiment { return Experiment("close,keep,pipeline", 5) },
	"the finding of 1997":                            func() trace.Experiment { return Experiment("close,close:6,keep,pipeline", 5) },
	"the best closes":                                func() trace.Experiment { return Scaled(Experiment("close,close:6,keep", 5), 1, 1) },
	"what TLS costs":                                 func() trace.Experiment { return Over("close,keep", 5, 0) },
	"resumption":                                     func() trace.Experiment { return Over("close,close+resume,keep,keep+resume", 5, 0) },
	"resumption, the time alike":                     func() trace.Experiment { return Scaled(Over("close,close+resume", 5, 0), 1, 1, 1.01, .99, 1.02, .98) },
	"resumption that costs":                          func() trace.Experiment { return Scaled(Over("close,close+resume", 5, 0), 1, 2) },
	"resumption, two trials":                         func() trace.Experiment { return Over("close,close+resume", 2, 0) },
	"resumption, one trial":                          func() trace.Experiment { return Over("close,close+resume", 1, 0) },
	"early data":                                     func() trace.Experiment { return Over("h3,h3+0rtt", 5, 0) },
	"fast open":                                      func() trace.Experiment { return Over("keep:6,keep:6+tfo", 5, 0) },
	"what was not given saves nothing":               func() trace.Experiment { return Examples["refused"]() },
	"versions":                                       func() trace.Experiment { return Over("close,keep:6,h2,h3", 5, 0) },
	"h2 is worse":                                    func() trace.Experiment { return Scaled(Over("keep:6,h2,h3", 5, 0), 1, 2) },
	"head-of-line blocking":                          func() trace.Experiment { return Over("h2,h3", 7, .02) },
	"nothing was lost":                               func() trace.Experiment { return Unlost(Over("h2,h3", 7, .02), 0, 1) },
	"only one lost packets":                          func() trace.Experiment { return Unlost(Over("h2,h3", 7, .02), 1) },
	"no head-of-line blocking":                       func() trace.Experiment { return Scaled(Over("h2,h3", 7, .005), 0, .8, .9, 1, .85, .95, .9, 1) },
	"blocking, two trials":                           func() trace.Experiment { return Over("h2,h3", 2, .02) },
	"recovery costs more":                            func() trace.Experiment { return Scaled(Over("h2,h3", 7, .02), 1, 5) },
	"nothing delivered":                              func() trace.Experiment { return Examples["nothing"]() },
	"no strategy at all":                             func() trace.Experiment { return trace.Experiment{Setup: trace.Setup{Workload: Gallery()}} },
}

// Caveats are experiments by what there is to doubt in them.
var Caveats = map[string]func() trace.Experiment{
	"nothing to doubt": func() trace.Experiment { return pair() },
	"a byte too few": func() trace.Experiment {
		return each(pair(), 1, func(t *trace.Trace) { t.Exchanges[7].ResponseBody-- })
	},
	"an exchange twice": func() trace.Experiment { return each(pair(), 1, func(t *trace.Trace) { t.Exchanges[7].ID = 6 }) },
	"an exchange missing": func() trace.Experiment {
		return each(pair(), 0, func(t *trace.Trace) { t.Exchanges = t.Exchanges[:40] })
	},
	"the link carried less": func() trace.Experiment {
		return each(pair(), 1, flows(func(l *trace.Ledger) { l.Connections[0].Down.Payload -= 10_000 }))
	},
	"failed exchanges": func() trace.Experiment { in := pair(); Fail(in.Traces[1][:2], 3, "reset"); return in },
	"failed trials":    func() trace.Experiment { in := pair(); in.Failures[0] = []string{"a", "b", "b"}; return in },
	"interrupted": func() trace.Experiment {
		in := pair()
		in.Interrupted = true
		in.Traces[1] = in.Traces[1][:4]
		return in
	},
	"server closed": func() trace.Experiment {
		return each(pair(), 1, func(t *trace.Trace) {
			k := &t.Connections[0]
			k.ClosedBy, k.Closed, k.Reason = trace.AtServer, linger.Known(t.Ended-1), "FIN"
		})
	},
	"reused": func() trace.Experiment {
		return each(pair(), 0, func(t *trace.Trace) { t.Connections[3].Requests = 2 })
	},
	"left open": func() trace.Experiment {
		return each(pair(), 0, func(t *trace.Trace) {
			k := &t.Connections[3]
			k.ClosedBy, k.Closed = trace.AtClient, linger.Known(k.Closed.Or(0).Add(t.Network.RTT))
		})
	},
	"surplus": func() trace.Experiment {
		return each(pair(), 1, func(t *trace.Trace) {
			t.Connections[0].Surplus = linger.Known(trace.Surplus{Bytes: 2, Text: `"\r\n"`})
		})
	},
	"not pipelined": func() trace.Experiment {
		in := pair()
		in.Strategies = Strategies("close,pipeline")
		return in
	},
	"retries":                 func() trace.Experiment { return each(pair(), 1, func(t *trace.Trace) { t.Retries = 1 }) },
	"retries of streams":      func() trace.Experiment { return each(Over("h2,h3", 5, 0), 1, func(t *trace.Trace) { t.Retries = 1 }) },
	"no idle race of streams": func() trace.Experiment { return each(Over("h2,h3", 5, 0), 1, func(t *trace.Trace) { t.Retries = 1 }) },
	"no ledger": func() trace.Experiment {
		return each(each(pair(), 1, func(t *trace.Trace) { t.Ledger = linger.Opt[trace.Ledger]{} }), 0, func(t *trace.Trace) { t.Ledger = linger.Opt[trace.Ledger]{} })
	},
	"half a ledger": func() trace.Experiment {
		return each(pair(), 1, func(t *trace.Trace) { t.Ledger = linger.Opt[trace.Ledger]{} })
	},
	"full ledger": func() trace.Experiment { return each(pair(), 1, flows(func(l *trace.Ledger) { l.Overflow = 1 })) },
	"late": func() trace.Experiment {
		return each(pair(), 1, flows(func(l *trace.Ledger) { l.Lateness.P99 = 5 * time.Millisecond }))
	},
	"late by the difference": func() trace.Experiment {
		return each(pair(), 0, flows(func(l *trace.Ledger) { l.Lateness.P99 = 50 * time.Millisecond }))
	},
	"spurious": func() trace.Experiment {
		return each(pair(), 1, flows(func(l *trace.Ledger) { l.Connections[0].Down.Retransmitted = 2 }))
	},
	"three trials":                         func() trace.Experiment { return Experiment("close,keep", 3) },
	"one strategy, one trial":              func() trace.Experiment { return Experiment("close", 1) },
	"one strategy has no interval either":  func() trace.Experiment { return Experiment("close", 1) },
	"nothing to compare one strategy with": func() trace.Experiment { return Experiment("close", 1) },
	"few trials, by number": func() trace.Experiment {
		in := Experiment("close,keep,pipeline,keep:2", 5)
		in.Traces[0], in.Traces[1], in.Traces[2] = in.Traces[0][:2], in.Traces[1][:1], in.Traces[2][:2]
		return in
	},
	"few trials, the next number": func() trace.Experiment {
		in := Experiment("close,keep,pipeline,keep:2", 5)
		in.Traces[0], in.Traces[1] = in.Traces[0][:2], in.Traces[1][:1]
		return in
	},
	"requests in vain are pipelined": func() trace.Experiment {
		in := Experiment("close,pipeline", 5)
		in.Traces[1] = nil
		for _, t := range in.Traces[0] {
			vain := *t
			vain.Connections = slices.Clone(t.Connections)
			vain.Connections[0].Requests = 41
			in.Traces[1] = append(in.Traces[1], &vain)
		}
		return in
	},
	"a single trial":           func() trace.Experiment { return Experiment("close,keep", 1) },
	"fewer trips than none":    func() trace.Experiment { return Slower(pair(), 1) },
	"trips within their doubt": func() trace.Experiment { return Scaled(pair(), 1, 1, 9, .6) },
	"four trials":              func() trace.Experiment { return Experiment("close,keep", 4) },
	"overlap":                  func() trace.Experiment { return Scaled(Experiment("close,keep", 5), 1, 2.15, 2.2, 2.1, 2.25, 2.05) },
	"no still trials":          func() trace.Experiment { in := pair(); in.ZeroRTT = nil; return in },
	"another protocol":         func() trace.Experiment { return Examples["refused"]() },
	"not resumed":              func() trace.Experiment { return Examples["refused"]() },
	"not resumed at once":      func() trace.Experiment { return Examples["refused"]() },
	"early data rejected":      func() trace.Experiment { return Examples["refused"]() },
	"no early data": func() trace.Experiment {
		return each(Over("h3+0rtt,h2", 5, 0), 0, func(t *trace.Trace) {
			s, _ := t.Connections[0].TLS.Get()
			s.Resumed, s.EarlyData = false, linger.Opt[bool]{}
			t.Connections[0].TLS = linger.Known(s)
		})
	},
	"fast open fell back": func() trace.Experiment { return Examples["refused"]() },
	"fast open unknown": func() trace.Experiment {
		return each(Over("keep+tfo,h2", 5, 0), 0, func(t *trace.Trace) { t.Connections[0].FastOpen = linger.Opt[bool]{} })
	},
	"noisy trips": func() trace.Experiment { return Scaled(Experiment("close,keep", 5), 1, 1, 1.2, .8) },
}

func pair() trace.Experiment { return Experiment("close,keep", 5) }

// each changes the trials of one strategy.
func each(in trace.Experiment, strategy int, change func(*trace.Trace)) trace.Experiment {
	for _, t := range in.Traces[strategy] {
		change(t)
	}
	return in
}

// flows changes what was counted on the link.
func flows(change func(*trace.Ledger)) func(*trace.Trace) {
	return func(t *trace.Trace) {
		l, _ := t.Ledger.Get()
		change(&l)
		t.Ledger = linger.Known(l)
	}
}

// Others are experiments of kinds that the rest has not.
var Others = map[string]func() trace.Experiment{
	"predicted": func() trace.Experiment { return predicted(Experiment("close,close:6,keep,keep:6,h2", 1)) },
	"predicted, trials alike": func() trace.Experiment {
		in := predicted(Experiment("close,keep", 3))
		for i := range in.Traces {
			in.Traces[i][1], in.Traces[i][2] = in.Traces[i][0], in.Traces[i][0]
		}
		return in
	},
	"observed once": func() trace.Experiment {
		in := Experiment("close,keep", 1)
		in.Provenance, in.Engine = trace.Observed, "har"
		return in
	},
	"QUIC of another make": func() trace.Experiment {
		in := Examples["secure"]()
		for i := range in.Traces {
			for _, one := range in.Traces[i] {
				for j := range one.Connections {
					if q, ok := one.Connections[j].QUIC.Get(); ok {
						q.Stack = "somebody's"
						one.Connections[j].QUIC = linger.Known(q)
					}
				}
			}
		}
		return in
	},
	"a browser beside": func() trace.Experiment {
		in := Experiment("keep:6,close:6", 5)
		in.Strategies[1].Client = "chromium"
		return each(in, 1, func(t *trace.Trace) { t.Agent = "Chromium 140" })
	},
	"objects changed": func() trace.Experiment {
		in := Experiment("close,keep", 5)
		in.Workload.Found = true
		return each(in, 1, func(t *trace.Trace) {
			t.Exchanges[2].ResponseBody += int64(100 * t.Trial)
			t.Exchanges[5].ResponseBody += 7
		})
	},
	"many reasons": func() trace.Experiment {
		in := Experiment("close,keep", 5)
		for i, t := range in.Traces[1] {
			for k := range 6 {
				Fail([]*trace.Trace{t}, 3+k, []string{"reset", "time-out", "status 500", "alert", "refused", "closed"}[(i*k)%6])
			}
		}
		in.ZeroRTTFailures[1], in.ZeroRTT[1] = []string{"refused", "refused", "late"}, nil
		return in
	},
	"as fast, with fewer connections": func() trace.Experiment {
		in := Experiment("close,keep:6,keep:2,keep", 5)
		return Scaled(Scaled(in, 2, .53, .54, .52, .55, .51), 3, .27, .29, .28, .28, .3)
	},
	"idle connections are closed": func() trace.Experiment { return idled(LookUps(10, 5, 10)) },
	"idle connections are closed, on an unknown path": func() trace.Experiment {
		in := idled(LookUps(10, 5, 10))
		in.Network = linger.Network{}
		return in
	},
	"one of them is closed": func() trace.Experiment {
		in := idled(LookUps(10, 5, 10))
		in.Network = linger.Network{}
		in.Traces[3] = LookUps(10, 5, 10).Traces[3]
		return in
	},
	"datagrams are lost": func() trace.Experiment { return LookUps(40, 5, 35) },
	"what is lost in the hosts": func() trace.Experiment {
		in := Experiment("close,keep,pipeline", 5)
		for _, t := range in.ZeroRTT[1] {
			t.Ended += linger.Instant(400 * time.Millisecond)
		}
		return in
	},
	"what is saved in the hosts": func() trace.Experiment {
		in := Experiment("close,keep,pipeline", 5)
		for _, t := range in.ZeroRTT[0] {
			t.Ended += linger.Instant(400 * time.Millisecond)
		}
		return in
	},
	"several kept, none closed": func() trace.Experiment { return Scaled(Experiment("keep,pipeline", 5), 0, .25, .26, .24, .27, .23) },
	"a strategy without a time": func() trace.Experiment {
		in := Experiment("close,keep", 5)
		Fail(in.Traces[0], 3, "reset")
		return in
	},
	"fast open falls back to some": func() trace.Experiment {
		in := Over("keep:6,keep:6+tfo,h2+resume,close:2,keep:2", 3, 0)
		return each(in, 1, func(t *trace.Trace) { t.Connections[0].FastOpen = linger.Known(false) })
	},
	"parallel pairs alike": func() trace.Experiment {
		return Scaled(Experiment("close,close:6,keep:6,close:2,keep:2", 5), 2, 1.69, 1.71, 1.7, 1.72, 1.68)
	},
	"a pair alike": func() trace.Experiment {
		return Scaled(Experiment("close,keep,pipeline", 5), 1, 2.15, 2.2, 2.1, 2.25, 2.05)
	},
	"closed once": func() trace.Experiment {
		in := Experiment("close,keep", 5)
		k := &in.Traces[1][2].Connections[0]
		k.ClosedBy, k.Closed, k.Reason = trace.AtServer, linger.Known(in.Traces[1][2].Ended-1), "FIN"
		return in
	},
	"not resumed once": func() trace.Experiment {
		in := Over("close,close+resume", 5, 0)
		k := &in.Traces[1][0].Connections[7]
		s, _ := k.TLS.Get()
		s.Resumed = false
		k.TLS = linger.Known(s)
		return in
	},
	"limits of three kinds": func() trace.Experiment {
		in := idled(limited(0))
		in.Strategies = append(in.Strategies, Strategies("dot+keep")...)
		in.Traces = append(in.Traces, limited(0, time.Minute).Traces[3])
		return in
	},
	"limits of two kinds, on an unknown path": func() trace.Experiment {
		in := limited(2*time.Second, time.Second)
		in.Network = linger.Network{}
		return in
	},
	"messages share packets": func() trace.Experiment {
		return each(LookUps(20, 5, 20), 3, flows(func(l *trace.Ledger) {
			f := &l.Connections[0]
			f.Down.Header, f.Down.Packets, f.Down.Payload = f.Down.Header-52*10, f.Down.Packets-10, f.Down.Payload-1500
		}))
	},
	"one transport at a rate": func() trace.Experiment {
		in := Queries["at a rate"]()
		in.Strategies, in.Traces = in.Strategies[:1], in.Traces[:1]
		return in
	},
	"few queries, lost": func() trace.Experiment { return LookUps(3, 5, 2) },
	"one kept transport over UDP's price": func() trace.Experiment {
		in := LookUps(10, 5, 10)
		in.Strategies, in.Traces = in.Strategies[:3], in.Traces[:3]
		return in
	},
	"encrypted, with what set-up takes": func() trace.Experiment {
		in := Queries["encrypted and not"]()
		for i, list := range in.Traces {
			in.ZeroRTT = append(in.ZeroRTT[:i], nil)
			for _, one := range list {
				still := *one
				still.Connections = slices.Clone(one.Connections)
				for k := range still.Connections {
					c := &still.Connections[k]
					c.Connected = linger.Known(c.Dialled)
					if d := &one.Connections[k]; i == 2 {
						d.Connected = linger.Known(d.Connected.Or(0).Add(70 * time.Millisecond))
					}
				}
				in.ZeroRTT[i] = append(in.ZeroRTT[i], &still)
			}
		}
		return in
	},
	"two versions alike": func() trace.Experiment {
		return Scaled(Over("keep:6,h2,h3,pipeline", 5, 0), 2, 1.1, 1.12, 1.08, 1.13, 1.09)
	},
}

func predicted(in trace.Experiment) trace.Experiment {
	in.Provenance, in.Engine = trace.Predicted, "sim"
	return in
}

// idled has the server close the kept connections that were not asked for anything for
// 3 seconds, after the fifth query.
func idled(in trace.Experiment) trace.Experiment {
	for _, list := range in.Traces[2:] {
		for _, one := range list {
			first := &one.Connections[0]
			for i := 5; i < len(one.Exchanges); i++ {
				e := &one.Exchanges[i]
				e.Queued, e.Connection = e.Queued.Add(5*time.Second), 99
				for _, at := range []*linger.Opt[linger.Instant]{&e.Sent, &e.FirstByte, &e.Done} {
					*at = linger.Known(at.Or(0).Add(5 * time.Second))
				}
			}
			one.Ended = one.Ended.Add(5 * time.Second)
			second := *first
			second.ID = 99
			first.Requests, second.Requests = 5, 5
			first.Closed, first.ClosedBy = linger.Known(one.Exchanges[4].Done.Or(0).Add(3*time.Second)), trace.AtServer
			one.Connections = append(one.Connections, second)
		}
	}
	return in
}
