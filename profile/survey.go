package profile

import (
	"cmp"
	"slices"
	"strings"

	"linger"
)

// A Software is the servers of a survey that call themselves by one name.
type Software struct {
	Name     string // of the product, without its version; empty where servers do not say
	Versions int    // that were said, of which there may be none
	Servers  int
	// Idle is after how long they end connections behind a response, in ms; Requests is how
	// many one connection may carry. Of HTTP/1.1, or what they speak in its place.
	Idle, Requests Range
	// Violating counts those that break a standard.
	Violating int
}

// A Range is what several servers have of one limit. Bounds counts the servers of which a lower
// bound is all that is known; it stands for the limit in Low, High and Median, so that with
// bounds High and Median are at least so much.
type Range struct {
	N, Bounds         int // N counts bounds, too
	Low, High, Median float64
}

// Main is the protocol whose limits stand for a server where there is one line for it: HTTP/1.1,
// or the first of those that there are in its place; nil where there is none.
func (p *Profile) Main() *Protocol {
	for _, q := range p.Protocols {
		if q.Name == linger.HTTP11 {
			return q
		}
	}
	if len(p.Protocols) > 0 {
		return p.Protocols[0]
	}
	return nil
}

// Product is the name of the first product in a Server field (RFC 9110, 10.2.4), in small
// letters, and its version, which may be empty.
func Product(server string) (name, version string) {
	first, _, _ := strings.Cut(strings.TrimSpace(server), " ")
	name, version, _ = strings.Cut(first, "/")
	return strings.ToLower(name), version
}

// BySoftware puts the servers of a survey together by what they call themselves, the most
// frequent first, and last those that do not say.
func BySoftware(servers []Probed) []Software {
	type limits struct{ idle, requests []bound }
	var out []*Software
	found := map[string]*Software{}
	versions := map[[2]string]bool{}
	of := map[string]*limits{}
	for _, one := range servers {
		p := one.Profile
		if p == nil {
			continue
		}
		name, version := Product(p.Software)
		s := found[name]
		if s == nil {
			s = &Software{Name: name}
			found[name], of[name], out = s, &limits{}, append(out, s)
		}
		s.Servers++
		if key := [2]string{name, version}; version != "" && !versions[key] {
			versions[key] = true
			s.Versions++
		}
		if p.Outcomes()[Fail] > 0 {
			s.Violating++
		}
		if q := p.Main(); q != nil {
			of[name].idle = append(of[name].idle, q.AfterResponse.bounds()...)
			of[name].requests = append(of[name].requests, q.Requests.bounds()...)
		}
	}
	slices.SortStableFunc(out, func(a, b *Software) int {
		if unsaid := cmp.Compare(min(1, len(b.Name)), min(1, len(a.Name))); unsaid != 0 {
			return unsaid
		}
		return cmp.Or(cmp.Compare(b.Servers, a.Servers), cmp.Compare(a.Name, b.Name))
	})
	list := make([]Software, len(out))
	for i, s := range out {
		s.Idle, s.Requests = rangeOf(of[s.Name].idle), rangeOf(of[s.Name].requests)
		list[i] = *s
	}
	return list
}

// A bound is a limit, or what it is at least.
type bound struct {
	value float64
	least bool
}

func (t Timeout) bounds() []bound {
	switch t.State {
	case Measured:
		return []bound{{float64(t.Median) / 1e6, false}}
	case AtLeast:
		return []bound{{float64(t.Low) / 1e6, true}}
	}
	return nil
}

func (c Count) bounds() []bound {
	if c.N == 0 || c.State != Measured && c.State != AtLeast {
		return nil
	}
	return []bound{{float64(c.N), c.State == AtLeast}}
}

func rangeOf(all []bound) (r Range) {
	slices.SortFunc(all, func(a, b bound) int { return cmp.Compare(a.value, b.value) })
	for _, b := range all {
		if r.N++; b.least {
			r.Bounds++
		}
	}
	if n := len(all); n > 0 {
		r.Low, r.High = all[0].value, all[n-1].value
		r.Median = (all[(n-1)/2].value + all[n/2].value) / 2
	}
	return r
}

// Violation is a case that servers of a survey fail, with their places in the list.
type Violation struct {
	Case
	Servers []int
}

// Violations are the cases that servers fail, those that most fail first.
func Violations(servers []Probed) (out []Violation) {
	for i, one := range servers {
		if one.Profile == nil {
			continue
		}
		for _, r := range one.Profile.Cases {
			if r.Outcome != Fail {
				continue
			}
			k := slices.IndexFunc(out, func(v Violation) bool { return v.ID == r.ID })
			if k < 0 {
				out, k = append(out, Violation{Case: r.Case}), len(out)
			}
			out[k].Servers = append(out[k].Servers, i)
		}
	}
	slices.SortStableFunc(out, func(a, b Violation) int { return cmp.Compare(len(b.Servers), len(a.Servers)) })
	return out
}

// IdleMS is the limit in ms where it was measured, or what it is at least.
func (t Timeout) IdleMS() linger.Opt[float64] { return first(t.bounds()) }

// Most is the number, or what it is at least.
func (c Count) Most() linger.Opt[float64] { return first(c.bounds()) }

func first(b []bound) (o linger.Opt[float64]) {
	if len(b) > 0 {
		o = linger.Known(b[0].value)
	}
	return o
}
