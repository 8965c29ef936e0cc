package textbook

import (
	"linger"
	"linger/trace"
)

// Examples are experiments whose findings are kept in files.
var Examples = map[string]func() trace.Experiment{
	"dns":     func() trace.Experiment { return LookUps(20, 5, 19) },
	"gallery": func() trace.Experiment { return Experiment("close,close:6,keep,keep:2,keep:6,pipeline,pipeline:2", 5) },
	// Everything that can go wrong at once.
	"doubtful": func() trace.Experiment {
		in := Experiment("close,keep,keep:256+1.0,pipeline", 3)
		in.Interrupted = true
		in.Traces[0] = in.Traces[0][:1]
		in.Failures[0] = []string{"the lab's pump ended: exit status 2"}
		Fail(in.Traces[1], 3, "the server closed in mid-response, after 1200 of 14000 bytes")
		for _, t := range in.Traces[2] {
			t.Ledger, t.Client, t.Server = linger.Opt[trace.Ledger]{}, linger.Opt[trace.Host]{}, linger.Opt[trace.Host]{}
			t.Connections[0].ClosedBy, t.Connections[0].Closed, t.Connections[0].Reason = trace.AtServer, linger.Known(t.Ended-1), "FIN after 100 requests"
		}
		in.ZeroRTT[2] = nil
		in.Traces[3][0].Retries = 2
		return in
	},
	// A path that is not ours, on which nobody counts packets.
	"live": func() trace.Experiment {
		in := Experiment("close:6,keep:6", 4)
		in.Engine = "live"
		in.Network = linger.Network{}
		in.ZeroRTT = nil
		for _, list := range in.Traces {
			for _, t := range list {
				t.Ledger, t.Client, t.Server = linger.Opt[trace.Ledger]{}, linger.Opt[trace.Host]{}, linger.Opt[trace.Host]{}
			}
		}
		return in
	},
	"secure": func() trace.Experiment {
		return Over("close,close:6,keep,keep:6,pipeline,h2,h3,close+resume,h3+0rtt", 5, 0)
	},
	"https": func() trace.Experiment { return Over(linger.DefaultStrategies(linger.SchemeHTTPS), 5, 0) },
	// Stopped early, on a path with more room before its bottlenecks than it takes
	// for 100 ms.
	"stopped": func() trace.Experiment {
		in := Experiment("close,close:6,keep,pipeline", 0)
		in.Network, in.Trials = Network("3g"), 5
		in.Traces, in.ZeroRTT, in.Failures, in.ZeroRTTFailures = nil, nil, nil, nil
		Fill(&in)
		in.Traces[0], in.Traces[1], in.Traces[2], in.Traces[3] = nil, in.Traces[1][:1], in.Traces[2][:2], in.Traces[3][:2]
		for _, t := range in.Traces[3] {
			t.Connections[0].Requests += 3
		}
		in.ZeroRTT = nil
		in.Interrupted = true
		return in
	},
	"lossy": func() trace.Experiment { return Over("keep:6,h2,h3", 7, 0.02) },
	// What was asked for was not given.
	"refused": func() trace.Experiment {
		in := Over("close+resume,keep:6+resume+tfo,h2,h3+0rtt", 5, 0)
		for i, list := range in.Traces {
			for _, t := range list {
				for j := range t.Connections {
					k := &t.Connections[j]
					tls, _ := k.TLS.Get()
					tls.Resumed, tls.EarlyData = false, linger.Opt[bool]{}
					switch i {
					case 1:
						k.FastOpen = linger.Known(false)
					case 2:
						k.Protocol, tls.ALPN = linger.HTTP11, linger.HTTP11.ALPN()
					case 3:
						tls.Resumed, tls.EarlyData = true, linger.Known(false)
					}
					k.TLS = linger.Known(tls)
				}
			}
		}
		return in
	},
	"nothing": func() trace.Experiment {
		in := Experiment("close,keep", 2)
		for i := range in.Traces {
			in.Failures[i] = []string{"connection refused", "connection refused"}
			in.Traces[i], in.ZeroRTT[i] = nil, nil
		}
		return in
	},
}

// Fail marks an exchange of every trial as failed.
func Fail(traces []*trace.Trace, exchange int, reason string) {
	for _, t := range traces {
		e := &t.Exchanges[exchange]
		e.Failed, e.Done, e.ResponseBody = reason, linger.Opt[linger.Instant]{}, 1200
	}
}

// Slower makes the trials of one strategy take longer without delay than with it.
func Slower(in trace.Experiment, strategy int) trace.Experiment {
	for _, t := range in.ZeroRTT[strategy] {
		t.Ended *= 100
	}
	return in
}

// Small makes every response fit into one segment.
func Small(in trace.Experiment) trace.Experiment {
	for i := range in.Workload.Exchanges {
		in.Workload.Exchanges[i].ResponseBody = 1000
	}
	in.Traces, in.ZeroRTT = nil, nil
	Fill(&in)
	return in
}

// Scaled multiplies the times of one strategy's trials, so that a verdict can be
// asked for without inventing traces anew.
func Scaled(in trace.Experiment, strategy int, factors ...float64) trace.Experiment {
	for i, t := range in.Traces[strategy] {
		t.Ended = linger.Instant(float64(t.Ended) * factors[i%len(factors)])
	}
	return in
}

// Unlost has the link lose nothing in the trials of those strategies.
func Unlost(in trace.Experiment, strategies ...int) trace.Experiment {
	for _, i := range strategies {
		for _, t := range in.Traces[i] {
			l, _ := t.Ledger.Get()
			for k := range l.Connections {
				l.Connections[k].Up.DroppedLoss, l.Connections[k].Down.DroppedLoss = 0, 0
			}
		}
	}
	return in
}
