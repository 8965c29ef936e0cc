package played

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/audit"
	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/capture/secrets"
)

// most is the share of answers that may be wrong: of all, and as the mean of the scenarios'
// own shares, since some open many connections for one reason.
const most = 0.01

// A place is where a capture was taken, as seen from a hop.
type place string

const (
	atClient place = "client"
	inMiddle place = "middle"
	atServer place = "server"
)

var places = []place{atClient, inMiddle, atServer}

// placeOf is where a point is on a hop that it sees.
func placeOf(point string, h hop) place {
	from, _, _ := strings.Cut(h, ">")
	switch point {
	case middle:
		return inMiddle
	case from:
		return atClient
	}
	return atServer
}

// elsewhere says where a cause cannot be told by what passes there, why not, and what is
// the answer instead.
var elsewhere = map[string]map[place]struct{ answer, why string }{
	dropped:   {atServer: {"unknown", "what the client sends again does not come here"}},
	otherAddr: {atServer: {first, "the other address is not seen here"}},
}

// A score counts answers: one for each connection and place.
type score struct {
	right, open int
	wrong       []string
	limits      int // claimed, and right
}

func (s *score) n() int { return s.right + s.open + len(s.wrong) }

// A tally is the scores of scenarios.
type tally []score

// of is the score of a further scenario.
func (t *tally) of() *score {
	*t = append(*t, score{})
	return &(*t)[len(*t)-1]
}

func (all tally) report(t *testing.T, what string) {
	t.Helper()
	var sum score
	mean, played, largest := 0.0, 0, 0
	for _, s := range all {
		if s.n() == 0 {
			continue
		}
		played++
		mean += float64(len(s.wrong)) / float64(s.n())
		largest = max(largest, s.n())
		sum.right, sum.open, sum.wrong, sum.limits = sum.right+s.right, sum.open+s.open, append(sum.wrong, s.wrong...), sum.limits+s.limits
	}
	mean /= float64(max(1, played))
	t.Logf("%s: %d answers of %d scenarios, %d of one at most: %d right, %d that cannot be told there and are not, %d wrong, which is %.2f %% of a scenario's; %d limits claimed and right",
		what, sum.n(), played, largest, sum.right, sum.open, len(sum.wrong), 100*mean, sum.limits)
	for _, w := range sum.wrong {
		t.Log(w)
	}
	if float64(len(sum.wrong)) > most*float64(sum.n()) || mean > most {
		t.Errorf("%d of %d answers are wrong, %.2f %% of a scenario's; more than %v %%", len(sum.wrong), sum.n(), 100*mean, 100*most)
	}
}

// judge holds what the audit says of each capture against what the script knows.
func (s *take) judge(t *testing.T, all *score) {
	t.Helper()
	hosts := s.hosts()
	for point, file := range s.captures {
		rows, result, err := auditOf(file, s.secrets(t), 0)
		if err != nil {
			t.Errorf("%s: %v", point, err)
			continue
		}
		byHop := map[hop][]audit.Row{}
		for _, r := range rows {
			h := hostOf(hosts, r.Client) + ">" + hostOf(hosts, r.Server)
			byHop[h] = append(byHop[h], r)
		}
		for h, opened := range s.opened {
			if !s.sees(point, h) {
				continue
			}
			where := placeOf(point, h)
			s.answers(all, fmt.Sprintf("%s | %s | %s", s.name, where, h), where, byHop[h], opened, s.aside[h])
		}
		s.totals(t, point, result)
		// Round trips tell where, and of few connections a machine that is late by an eighth of
		// one spoils that.
		if at := s.wherever(point); result.At != at && s.late < 5*ms {
			t.Errorf("%s: recorded at %q, which is %q", point, result.At, at)
		}
		s.claims(t, all, point, result)
	}
}

// wherever is how the audit calls a point.
func (s *take) wherever(point string) string {
	var at []place
	for h := range s.opened {
		if s.sees(point, h) {
			at = append(at, placeOf(point, h))
		}
	}
	slices.Sort(at)
	switch at = slices.Compact(at); len(at) {
	case 0:
		return ""
	case 1:
		return string(at[0])
	}
	return "both"
}

// handshake is how many frames the opening of a connection has.
const handshake = 3

// judgeLate is judge of captures that began when the first connection had been opened
// already, and no other. What was opened later has the causes that it had, but that nobody
// knows how old the first one was, and what it had carried.
func (s *take) judgeLate(t *testing.T, all *score) {
	t.Helper()
	hosts := s.hosts()
	for point, file := range s.captures {
		rows, _, err := auditOf(file, s.secrets(t), handshake)
		if err != nil {
			t.Errorf("%s: %v", point, err)
			continue
		}
		for h, opened := range s.opened {
			if !s.sees(point, h) || s.aside[h] != "" || len(opened) < 2 || opened[0] == noExchange || strings.HasPrefix(opened[1], concurrency) || len(s.opened) > 1 {
				continue
			}
			var later []audit.Row
			before := 0
			for _, r := range rows {
				switch {
				case hostOf(hosts, r.Client)+">"+hostOf(hosts, r.Server) != h:
				case r.BeganBefore:
					before++
				default:
					later = append(later, r)
				}
			}
			if before != 1 {
				continue // it carried nothing
			}
			opened = slices.Clone(opened[1:])
			if h := strings.TrimSuffix(opened[0], "+"); h == limit || h == maxAge {
				opened[0] = strings.Replace(opened[0], h, h+"|"+sSays+"|"+sAtOnce, 1)
			}
			where := placeOf(point, h)
			s.answers(all, fmt.Sprintf("%s | %s, late | %s", s.name, where, h), where, later, opened, "")
		}
	}
}

// answers holds the causes of the connections of one hop against the script's.
func (s *take) answers(all *score, what string, where place, rows []audit.Row, opened []string, aside string) {
	if aside != "" {
		// The last may have been under way when the capture ended.
		rows = slices.DeleteFunc(rows, func(r audit.Row) bool {
			return string(r.Class) == aside || r.StillOpen && r.Requests == 0
		})
	}
	slices.SortStableFunc(rows, func(x, y audit.Row) int { return cmp.Compare(x.Opened, y.Opened) })
	for i, r := range rows {
		want := ""
		if len(opened) > 0 {
			want = opened[min(i, len(opened)-1)]
		}
		if i >= len(opened) && !strings.HasSuffix(want, "+") {
			all.wrong = append(all.wrong, fmt.Sprintf("%s | connection %d | nothing | %s", what, i+1, r.Cause))
			continue
		}
		want = strings.TrimSuffix(want, "+")
		got := string(r.Cause)
		if r.Class != audit.Requests {
			got = string(r.Class)
		}
		switch {
		case slices.Contains(strings.Split(want, "|"), got):
			all.right++
		case got == elsewhere[want][where].answer:
			all.open++
		default:
			all.wrong = append(all.wrong, fmt.Sprintf("%s | connection %d | %s | %s %s (before: %v, ended %s, lost %v)", what, i+1, want, got, r.Certainty, r.Before, r.End, r.Lost))
		}
	}
	for i := len(rows); i < len(opened); i++ {
		all.wrong = append(all.wrong, fmt.Sprintf("%s | connection %d | %s | nothing", what, i+1, opened[i]))
	}
}

// totals holds reuse and what is avoidable against the script's.
func (s *take) totals(t *testing.T, point string, r *audit.Result) {
	t.Helper()
	exchanges, firsts, avoidable, sure := 0, 0, 0, true
	for h, opened := range s.opened {
		if !s.sees(point, h) {
			continue
		}
		exchanges += s.exchanges[h]
		if placeOf(point, h) == atServer {
			exchanges -= s.lost
		}
		if len(opened) > 0 && strings.HasSuffix(opened[len(opened)-1], "+") {
			return // as many as the clock wanted
		}
		for _, c := range opened {
			if c != noExchange && c != "stream" {
				firsts++
			}
			if audit.Cause(c).Of().Avoidable {
				avoidable++
			}
			if _, here := elsewhere[c][placeOf(point, h)]; here || strings.Contains(c, "|") {
				sure = false
			}
		}
	}
	if r.Exchanges != exchanges {
		t.Errorf("%s: %d requests, and the script sends %d", point, r.Exchanges, exchanges)
	}
	if want := 1 - float64(firsts)/float64(exchanges); exchanges > 0 && math.Abs(r.Reuse.Or(-1)-want) > 1e-9 {
		t.Errorf("%s: a reuse of %v, and the script's is %v", point, r.Reuse, want)
	}
	if x, _ := r.TLS.Get(); x.Unused.Or(0) != s.unused || x.Refused != s.refused {
		t.Errorf("%s: %d handshakes could have asked to resume and %d were refused; the script's are %d and %d", point, x.Unused.Or(0), x.Refused, s.unused, s.refused)
	}
	if sure && r.Avoidable != avoidable {
		t.Errorf("%s: %d avoidable connections, and the script opens %d", point, r.Avoidable, avoidable)
	}
}

// claims holds the limits that the audit claims against those that were set.
func (s *take) claims(t *testing.T, all *score, point string, r *audit.Result) {
	t.Helper()
	for _, l := range r.Limits {
		if !l.Claimed {
			continue
		}
		value := l.Value.Or(-1)
		near := func(set time.Duration) bool {
			want := set.Seconds()
			return set > 0 && math.Abs(value-want) <= max(0.1, 0.02*want)
		}
		ok := false
		switch {
		case l.Kind == "idle" && l.Side == "server":
			ok = near(s.idle) || near(s.idleOr)
		case l.Kind == "idle":
			ok = near(s.idleClient)
		case l.Kind == "requests":
			ok = s.requests > 0 && value == float64(s.requests)
		case l.Kind == "age":
			low, high := l.Low.Or(value), l.High.Or(value)
			// A busy server accepts late, and counts from then.
			ok = s.age > 0 && low <= s.age.Seconds()+0.1 && high >= s.age.Seconds()-0.01
		}
		if !ok {
			t.Errorf("%s: it claims a limit of the %s, %s %v (%v to %v, %d ends), and there is %v, %v, %d", point, l.Side, l.Kind, value, l.Low, l.High, l.Ends, s.idle, s.age, s.requests)
			continue
		}
		all.limits++
	}
}

func hostOf(hosts map[netip.Addr]string, address string) string {
	if a, err := netip.ParseAddrPort(address); err == nil {
		return hosts[a.Addr()]
	}
	name, _, _ := strings.Cut(address, ":")
	if a, err := netip.ParseAddr(name); err == nil {
		return hosts[a]
	}
	return name
}

// secrets are those that the programs wrote; nil is none.
func (s *take) secrets(t *testing.T) *secrets.Log {
	if !s.keyed {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "*", secretsName))
	if err != nil || len(files) == 0 {
		t.Errorf("no program wrote its secrets: %v", err)
		return nil
	}
	log := &secrets.Log{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Error(err)
		}
		log.Add(b)
	}
	return log
}

// auditOf reads a capture and audits it, but for its first frames.
func auditOf(file string, keys *secrets.Log, without int) ([]audit.Row, *audit.Result, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	files, err := pcap.Open([]pcap.Input{{Name: file, From: f}})
	if err != nil {
		return nil, nil, err
	}
	var rows []audit.Row
	a := audit.New(audit.Config{Each: func(r audit.Row) { rows = append(rows, r) }})
	reader := packet.New(packet.Options{Keys: keys}, a)
	for n := 0; ; n++ {
		frame, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if n < without {
			continue
		}
		if err := reader.Add(frame); err != nil {
			return nil, nil, err
		}
	}
	sum := reader.Finish()
	return rows, a.End(sum.Last.Or(linger.Instant(0))), nil
}
