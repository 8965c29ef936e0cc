package main

import (
	"time"

	"linger"
	"linger/dns"
	"linger/policy"
	"linger/sim"
)

// messagesOf says what the queries of a workload and their answers come to, by each of
// what carries them, with a server of that policy. Names that nobody can ask for are
// refused.
func messagesOf(w linger.Workload, p policy.ServerPolicy, carriers ...string) (map[string][]sim.Message, error) {
	zone, err := dns.NewZone(w)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]sim.Message, len(carriers))
	for _, over := range carriers {
		all := make([]sim.Message, len(w.Exchanges))
		for i, e := range w.Exchanges {
			if all[i], err = messageOf(zone, w, e.Query, p, over); err != nil {
				return nil, err
			}
		}
		out[over] = all
	}
	return out, nil
}

func messageOf(zone *dns.Zone, w linger.Workload, q linger.Query, p policy.ServerPolicy, over string) (sim.Message, error) {
	ask := dns.OptionsOver(over)
	query, err := dns.Ask(q, ask)
	if err != nil {
		return sim.Message{}, err
	}
	m, err := dns.Read(query)
	i, a := zone.Find(m, err)
	if i >= 0 {
		a.Size = int(w.Exchanges[i].ResponseBody)
	}
	a.Pad = over != linger.OverUDP && over != linger.OverTCP
	if over == linger.OverUDP {
		a.Datagram, a.Limit = true, dns.UDPSize
	}
	out := sim.Message{Query: int64(len(query))}
	if ask.Keepalive && p.Announce && p.IdleTimeout > 0 {
		a.Keepalive = linger.Known(p.IdleTimeout)
		limit := min(p.IdleTimeout, dns.MaxKeepalive).Truncate(100 * time.Millisecond)
		out.Limit = &limit
	}
	r := m.Reply(a)
	out.Answer, out.Rcode, out.Truncated, out.Fresh = int64(len(r.Message)), dns.Rcode(r.Rcode), r.Truncated, r.TTL
	return out, nil
}

// carriersOf are what may carry the messages of strategies.
func carriersOf(strategies ...linger.Strategy) (out []string) {
	for _, s := range strategies {
		if s.DNS != "" {
			out = append(out, s.DNS)
		}
		if s.Datagram {
			out = append(out, linger.OverTCP) // for what does not fit
		}
	}
	return out
}
