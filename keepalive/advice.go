package keepalive

import (
	"time"

	"linger/finding"
	"linger/profile"
)

// headroom is the margin that is advised beyond a limit: twice what is needed, and
// not less than a tenth of the limit, since clocks tick and machines are late.
func headroom(limit, need profile.Duration, least time.Duration) time.Duration {
	return max(2*time.Duration(need), time.Duration(limit)/10, least)
}

// note adds what is to be known of a pair: of a hop, or of a program by its title.
func (p *Pair) note(code string, subject finding.Subject, figures ...finding.Figure) {
	p.Notes = append(p.Notes, finding.Finding{Code: code, Severity: finding.Note, Subject: subject, Figures: figures})
}

func ms(name string, d profile.Duration) finding.Figure {
	return finding.Number(name, float64(d)/1e6, "ms")
}

// advise adds what mends a pair, and what is to be known of it. raised is what the
// pool's limit becomes by the advice on the pair before; what the accepter's pool
// becomes by this one's is returned, or 0.
func advise(p *Pair, opener, accepter Hop, raised profile.Duration) (next profile.Duration) {
	pool, poolKnown := DefaultOf(opener.Software, Opens)
	server, serverKnown := DefaultOf(accepter.Software, Accepts)
	program := func(d Default) finding.Subject { return finding.Subject{Kind: "software", Name: d.Title} }
	hop := finding.Subject{Kind: "hop", Name: opener.Name}
	if p.Pool.Soft {
		p.note(SoftPool, program(pool), ms("limit", p.Pool.Value))
	}
	if p.Server.Soft {
		p.note(SoftServer, program(server), ms("limit", p.Server.Value))
	}
	if p.Pool.Source == FromDefault && pool.Note != "" {
		p.note(ByDefault, program(pool), finding.Word("note", pool.Note))
	}
	if p.Server.Source == FromDefault && server.Note != "" {
		p.note(ByDefault, program(server), finding.Word("note", server.Note))
	}
	keeps := max(p.Pool.Value, raised)
	spoilt := p.Verdict == Right && raised > p.Pool.Value && !p.Server.Endless && p.Server.Value-raised <= p.Need
	if raised > p.Pool.Value {
		p.note(RaisedToo, hop, ms("limit", raised))
		if spoilt {
			p.note(WouldSpoil, hop)
		}
	}
	mend := p.Verdict == Wrong || p.Verdict == TooClose
	if !mend && !spoilt {
		return 0
	}
	if !p.Pool.Endless {
		limit := server.Setting.up(time.Duration(keeps) + headroom(keeps, p.Need, time.Second))
		change := Change{Hop: accepter.Name, Side: Accepts, Software: server.Software, Limit: profile.Duration(limit), Past: keeps, Where: server.Setting.Where}
		write, ok := server.Setting.For(limit)
		switch {
		case serverKnown && (server.Fixed || !ok):
		default:
			change.Write = write
			p.Changes = append(p.Changes, change)
			if server.Both {
				next = change.Limit
			}
		}
	}
	if spoilt {
		return next
	}
	if pool.Both {
		p.note(LoweredToo, finding.Subject{Kind: "software", Name: pool.Title, Of: opener.Name})
		return next
	}
	limit := pool.Setting.down(time.Duration(p.Server.Value) - headroom(p.Server.Value, p.Need, min(time.Second, time.Duration(p.Server.Value)/2)))
	write, ok := pool.Setting.For(limit)
	if limit > 0 && (!poolKnown || ok && !pool.Fixed) {
		p.Changes = append(p.Changes, Change{Hop: opener.Name, Side: Opens, Software: pool.Software, Limit: profile.Duration(limit), Past: p.Server.Value, Where: pool.Setting.Where, Write: write})
	}
	if poolKnown && pool.Fixed && len(p.Changes) == 0 {
		p.note(CannotBeSet, program(pool), ms("limit", p.Pool.Value))
	}
	return next
}
