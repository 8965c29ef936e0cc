// Package recorded draws recorded connections: what a script needs to draw them over time ([Pack]),
// and charts that need none ([OverTime], [Requests], [Survival]).
package recorded

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/audit"
	"linger/audit/timeline"
	"linger/report/table"
	"linger/report/words"
)

// mostTexts bounds the different texts of requests that a page has.
const mostTexts = 4096

// A head is what stands before the columns of what is packed.
type head struct {
	Ended       float64  `json:"ended"` // ms, as all times here
	Width       float64  `json:"width"`
	Bins        int      `json:"bins"`
	Connections int      `json:"connections"`
	Each        int      `json:"each"`
	Whole       bool     `json:"whole"`
	Kinds       []kind   `json:"kinds"`
	Origins     []lane   `json:"origins"`
	Clients     []lane   `json:"clients"`
	Texts       []string `json:"texts"`
	Singles     int      `json:"singles"`
	Exchanges   int      `json:"exchanges"`
}

// A kind is one with how it is drawn: Family is whose setting ends it, Pattern which texture of
// its family's colour it has.
type kind struct {
	Code      string `json:"code"`
	Label     string `json:"label"`
	Letter    string `json:"letter"`
	Family    string `json:"family"`
	Pattern   int    `json:"pattern"`
	Avoidable bool   `json:"avoidable"`
	N         int    `json:"n"`
}

type lane struct {
	Name      string `json:"name"`
	N         int    `json:"n"`
	Avoidable int    `json:"avoidable"`
}

// families are whose setting ends what.
var families = map[audit.Blame]string{audit.Nobodys: "none", audit.Clients: "client", audit.Servers: "server", audit.Networks: "both", audit.Orders: "both"}

// kindsOf are the kinds that there are, as they are drawn, with the index of each.
func kindsOf(t *timeline.Timeline) ([]kind, map[timeline.Kind]int) {
	n := map[timeline.Kind]int{}
	for _, l := range t.Origins {
		for k, bins := range l.Opened {
			for _, c := range bins {
				n[k] += c
			}
		}
	}
	var out []kind
	at, patterns := map[timeline.Kind]int{}, map[string]int{}
	for _, k := range timeline.Kinds() {
		family := families[audit.Cause(k).Of().Whose]
		if patterns[family]++; n[k] == 0 {
			continue
		}
		at[k] = len(out)
		out = append(out, kind{Code: string(k), Label: words.KindLabel(string(k)), Letter: string(rune('A' + len(out))), Family: family, Pattern: patterns[family] - 1, Avoidable: audit.Cause(k).Of().Avoidable, N: n[k]})
	}
	return out, at
}

// names are the lanes as they are shown: names that several have with their addresses.
func names(lanes []timeline.Lane, others string) (out []lane) {
	several := map[string]int{}
	for _, l := range lanes {
		several[l.Name]++
	}
	for _, l := range lanes {
		name := l.Name
		switch {
		case l.Of > 0:
			name = linger.Plural(l.Of, "other "+others)
		case name == "":
			name = l.Address
		case several[name] > 1:
			name += " (" + l.Address + ")"
		}
		out = append(out, lane{table.Short(name, 60), l.Connections, l.Avoidable})
	}
	return out
}

// texts are different texts by number, 0 being none.
type texts struct {
	list []string
	at   map[string]int
	most int
}

func (t *texts) of(s string) int {
	if s == "" {
		return 0
	}
	if i, ok := t.at[s]; ok {
		return i
	}
	if len(t.list) >= t.most {
		return 0
	}
	t.at[s] = len(t.list)
	t.list = append(t.list, table.Short(s, 120))
	return len(t.list) - 1
}

// packing is columns of numbers, one behind the other.
type packing struct {
	b    []byte
	t    *timeline.Timeline
	text texts
}

// column writes a number of each single connection.
func (p *packing) column(of func(*timeline.Single) int64) {
	for i := range p.t.Singles {
		p.number(of(&p.t.Singles[i]))
	}
}

// number writes a number that is 0 or more, in groups of 7 bits, the least first.
func (p *packing) number(n int64) { p.b = binary.AppendUvarint(p.b, uint64(max(0, n))) }

// folded makes of a number one that is 0 or more: 0, -1, 1, -2, 2.
func folded(n int64) int64 { return n<<1 ^ n>>63 }

// micros is a duration in µs.
func micros(d time.Duration) int64 { return int64(d / time.Microsecond) }

// known is a duration since an instant in µs and 1, 0 where it is not known.
func known(at linger.Opt[linger.Instant], since linger.Instant) int64 {
	v, ok := at.Get()
	if !ok {
		return 0
	}
	return micros(max(0, v.Sub(since))) + 1
}

// lasting is the same of a duration.
func lasting(d linger.Opt[time.Duration]) int64 {
	if v, ok := d.Get(); ok {
		return micros(max(0, v)) + 1
	}
	return 0
}

// Pack returns what a script needs to draw a timeline, compressed and as letters: a head in JSON
// behind its length in four bytes, the least first, then columns of numbers.
func Pack(t *timeline.Timeline) string {
	kinds, at := kindsOf(t)
	p := &packing{t: t, text: texts{list: []string{""}, at: map[string]int{}, most: 1 << 20}}
	h := head{
		Ended: float64(t.Ended) / 1e6, Width: float64(t.Width) / 1e6, Bins: t.Bins, Connections: t.Connections, Each: t.Each, Whole: t.Whole(),
		Kinds: kinds, Origins: names(t.Origins, "origin"), Clients: names(t.Clients, "client"), Singles: len(t.Singles),
	}
	p.connections(at)
	p.text.most = len(p.text.list) + mostTexts
	h.Exchanges = p.exchanges()
	if !h.Whole {
		for _, l := range append(slices.Clone(t.Origins), t.Clients...) {
			p.lane(l, at)
		}
	}
	h.Texts = p.text.list
	text, err := json.Marshal(h)
	if err != nil {
		panic(err) // it is texts and numbers
	}
	var out bytes.Buffer
	letters := base64.NewEncoder(base64.StdEncoding, &out)
	z, _ := flate.NewWriter(letters, flate.BestCompression)
	z.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(text))))
	z.Write(text)
	z.Write(p.b)
	z.Close()
	letters.Close()
	return out.String()
}

// connections writes the columns of single connections; script.js reads them in this order.
func (p *packing) connections(at map[timeline.Kind]int) {
	index := map[int64]int{}
	for i, s := range p.t.Singles {
		index[s.ID] = i + 1
	}
	var id, opened int64
	p.column(func(s *timeline.Single) int64 { d := s.ID - id; id = s.ID; return folded(d) })
	p.column(func(s *timeline.Single) int64 {
		now := micros(time.Duration(s.Opened))
		d := now - opened
		opened = now
		return folded(d)
	})
	p.column(func(s *timeline.Single) int64 {
		if s.StillOpen {
			return 0
		}
		return known(s.Closed, s.Opened)
	})
	certainty := map[audit.Certainty]int64{audit.Certain: 1, audit.Proven: 2, audit.Likely: 3}
	for _, of := range []func(*timeline.Single) int64{
		func(s *timeline.Single) int64 { return int64(s.OriginLane) },
		func(s *timeline.Single) int64 { return int64(s.ClientLane) },
		func(s *timeline.Single) int64 { host, _ := parted(s.Client); return int64(p.text.of(host)) },
		func(s *timeline.Single) int64 { _, port := parted(s.Client); return port },
		func(s *timeline.Single) int64 { return int64(p.text.of(s.Server)) },
		func(s *timeline.Single) int64 { return int64(p.text.of(s.Name)) },
		func(s *timeline.Single) int64 { return int64(at[timeline.KindOf(s.Row)]) },
		func(s *timeline.Single) int64 { return certainty[s.Certainty] },
		flags,
		func(s *timeline.Single) int64 { return int64(p.text.of(string(s.ClosedBy))) },
		func(s *timeline.Single) int64 { return int64(p.text.of(strings.ToUpper(string(s.ClosedWith)))) },
		func(s *timeline.Single) int64 { return int64(p.text.of(label(s.End))) },
		func(s *timeline.Single) int64 { return int64(s.Requests) },
		func(s *timeline.Single) int64 { return lasting(s.Waiting) },
		func(s *timeline.Single) int64 { return s.Stream.Or(-1) + 1 },
		func(s *timeline.Single) int64 { return int64(p.text.of(spoken(s.Row))) },
		func(s *timeline.Single) int64 { return s.Frames.First },
		func(s *timeline.Single) int64 { return s.ClosedFrame },
		func(s *timeline.Single) int64 { return int64(index[s.Before]) },
		func(s *timeline.Single) int64 { return lasting(s.Gap) },
		func(s *timeline.Single) int64 { return known(s.SYNACK, s.Opened) },
		func(s *timeline.Single) int64 { return known(s.Established, s.Opened) },
		func(s *timeline.Single) int64 { return known(s.Secured, s.Opened) },
		func(s *timeline.Single) int64 { return known(s.Announced, s.Opened) },
		func(s *timeline.Single) int64 { return int64(p.text.of(string(s.AnnouncedBy))) },
		func(s *timeline.Single) int64 { return int64(len(s.Exchanges)) },
		func(s *timeline.Single) int64 { return int64(s.Left) },
	} {
		p.column(of)
	}
}

// label is why a connection ended, in words.
func label(end audit.Cause) string {
	if end == "" {
		return ""
	}
	return words.CauseLabel(end)
}

// flags are what is true or not of a connection.
func flags(s *timeline.Single) (n int64) {
	for i, is := range []bool{s.StillOpen, s.UDP, s.Hidden, s.Evidence, s.BeganBefore} {
		if is {
			n |= 1 << i
		}
	}
	return n
}

// parted is an address without its port, and that.
func parted(address string) (host string, port int64) {
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		if n, err := strconv.ParseUint(address[i+1:], 10, 16); err == nil && n > 0 {
			return address[:i], int64(n)
		}
	}
	return address, 0
}

// spoken is what was spoken on a connection.
func spoken(r audit.Row) string {
	parts := []string{}
	if r.Protocol != "" {
		parts = append(parts, string(r.Protocol))
	}
	if r.TLS != "" {
		parts = append(parts, "TLS "+r.TLS)
		if v, ok := r.Resumed.Get(); ok && v {
			parts = append(parts, "resumed")
		}
	}
	return strings.Join(parts, ", ")
}

// exchanges writes the columns of exchanges, connection by connection, and returns how many there
// are. Each instant is from the one before it that is known, the first from the connection's
// beginning.
func (p *packing) exchanges() (n int) {
	each := func(of func(*timeline.Exchange) int64) {
		for i := range p.t.Singles {
			for k := range p.t.Singles[i].Exchanges {
				p.number(of(&p.t.Singles[i].Exchanges[k]))
			}
		}
	}
	for i := range p.t.Singles {
		s := &p.t.Singles[i]
		n += len(s.Exchanges)
		last := s.Opened
		for _, x := range s.Exchanges {
			for _, at := range []linger.Opt[linger.Instant]{x.Sent, x.First, x.Done} {
				v, ok := at.Get()
				if !ok {
					p.number(0)
					continue
				}
				p.number(folded(micros(v.Sub(last))) + 1)
				last = last.Add(v.Sub(last).Truncate(time.Microsecond))
			}
		}
	}
	each(func(x *timeline.Exchange) int64 { return int64(p.text.of(x.Text)) })
	each(func(x *timeline.Exchange) int64 { return int64(x.Status) })
	each(func(x *timeline.Exchange) int64 { return x.Bytes })
	each(func(x *timeline.Exchange) int64 {
		if x.Inferred {
			return 1
		}
		return 0
	})
	return n
}

// lane writes how many kinds a lane has, and of each which one and how many were opened in each
// bin, and then how many ended.
func (p *packing) lane(l timeline.Lane, at map[timeline.Kind]int) {
	p.number(int64(len(l.Opened)))
	for _, k := range timeline.Kinds() {
		if bins, ok := l.Opened[k]; ok {
			p.number(int64(at[k]))
			p.bins(bins)
		}
	}
	p.bins(l.Closed)
}

func (p *packing) bins(list []int) {
	p.number(int64(len(list)))
	for _, n := range list {
		p.number(int64(n))
	}
}
