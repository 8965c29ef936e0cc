package played

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"linger"
	"linger/capture/pcap"
	"linger/flow"
	"linger/internal/testall"
	"linger/lab"
)

// atOnce is how many scenarios are played side by side. They wait for most of their time.
const atOnce = 8

// A take is a scenario with the captures of one performance.
type take struct {
	*scenario
	captures map[string]string
	dir      string
	err      error
	late     time.Duration // how late the machine was at most, while it was played
	played   int           // so many times
}

// performAll plays every scenario once.
func performAll(t *testing.T, only string) []take {
	t.Helper()
	for _, f := range lab.Check() {
		if !f.OK && f.Needed {
			skip(t, "no lab can be made here: %s: %s; %s", f.Name, f.Found, f.Fix)
		}
	}
	dir := t.TempDir()
	if kept := os.Getenv("LINGER_PLAYED"); kept != "" {
		dir = kept
	}
	takes := make([]take, 0, len(scenarios))
	seen := map[string]bool{}
	for i := range scenarios {
		s := &scenarios[i]
		if strings.Contains(s.name, only) && (s.newTo(seen) || testall.Asked() || only != "") {
			takes = append(takes, take{scenario: s})
		}
	}
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range takes {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			takes[i].play(dir)
		})
	}
	all.Wait()
	// What is still too late is played with nothing beside it.
	for i := range takes {
		if takes[i].late >= tooLate {
			takes[i].play(dir)
		}
	}
	return takes
}

// newTo reports whether a scenario has a cause that none before it had. Where not all is to
// be tested, one of each is enough.
func (s *scenario) newTo(seen map[string]bool) bool {
	before := len(seen)
	for _, opened := range s.opened {
		for _, c := range opened {
			for code := range strings.SplitSeq(strings.TrimSuffix(c, "+"), "|") {
				seen[code] = true
			}
		}
	}
	return len(seen) > before
}

// play plays a scenario, and again what a busy machine has spoilt: programs do not do at
// once there what they are told to.
func (s *take) play(dir string) {
	number := slices.IndexFunc(scenarios, func(x scenario) bool { return x.name == s.name })
	for range tries {
		own := filepath.Join(dir, fmt.Sprintf("%d-%d", number, s.played))
		s.dir = own
		s.played++
		machine := testall.Watch()
		if s.err = os.MkdirAll(own, 0o755); s.err == nil {
			s.captures, s.err = perform(context.Background(), s.scenario, own)
		}
		if s.late = machine(); s.err == nil && s.late < tooLate || errors.Is(s.err, errLacks) {
			break
		}
	}
}

// tooLate is how late a machine may be before what was played on it proves nothing.
const tooLate = 40 * ms

// tries is how often a scenario is played until the machine was not too late, beside others
// and then alone. One that never was in time is not judged.
const tries = 3

// skip skips a test for want of something, or fails it under LINGER_TEST_ALL=1.
var skip = testall.Lacks

// TestPlayed is the test of everything between a packet and a cause.
func TestPlayed(t *testing.T) {
	began := time.Now()
	takes := performAll(t, os.Getenv("LINGER_PLAYED_ONLY"))
	t.Logf("%d scenarios in %v", len(takes), time.Since(began).Round(100*ms))
	var all, late tally
	var both jointly
	for i := range takes {
		s := &takes[i]
		t.Run(s.name, func(t *testing.T) {
			switch {
			case errors.Is(s.err, errLacks):
				skip(t, "%v", s.err)
			case s.late >= tooLate:
				skip(t, "this machine woke up %v too late, each of %d times", s.late, s.played)
			case s.err != nil:
				t.Fatal(s.err)
			}
			s.rightlyPlayed(t)
			s.judgeJoined(t, &both)
			if s.joined {
				return
			}
			s.judge(t, all.of())
			s.judgeLate(t, late.of())
		})
	}
	t.Run("tshark", func(t *testing.T) { holdAgainstTshark(t, takes) })
	both.report(t)
	all.report(t, "captured from the beginning")
	late.report(t, "captured from the first request on")
}

// rightlyPlayed holds the stage itself against the scripts: whoever is on a hop has seen as
// many connections as were opened there, nearer to one side than to the other.
func (s *take) rightlyPlayed(t *testing.T) {
	t.Helper()
	for point, file := range s.captures {
		seen := synsOf(t, file, s.hosts())
		for h, opened := range s.opened {
			if !s.sees(point, h) || strings.HasSuffix(h, inner) {
				continue
			}
			want := len(opened)
			more := want > 0 && strings.HasSuffix(opened[want-1], "+")
			if got := seen[h]; s.aside[h] == "" && (got < want || got > want && !more) {
				t.Errorf("%s: %d connections %s, and the script opens %d", point, got, h, want)
			}
		}
	}
}

// sees reports whether the packets of a hop pass a point.
func (s *take) sees(point string, h hop) bool {
	from, to, _ := strings.Cut(h, ">")
	if to == inner {
		to = "proxy"
	}
	return point == middle || point == from || point == to
}

// hosts are the names of the hosts by their addresses.
func (s *take) hosts() map[netip.Addr]string {
	out := map[netip.Addr]string{}
	var next [2]byte
	for _, p := range s.parts {
		if slices.Contains(slices.Collect(maps.Values(out)), p.on) {
			continue
		}
		side := sides[p.on]
		next[side]++
		out[netip.AddrFrom4([4]byte{10, 0, 1 + byte(side), next[side]})] = p.on
	}
	return out
}

// synsOf counts the connections of a capture by hop, by their SYNs.
func synsOf(t *testing.T, file string, hosts map[netip.Addr]string) map[hop]int {
	t.Helper()
	out, known := map[hop]int{}, map[string]bool{}
	err := frames(file, func(at linger.Instant, p *flow.Packet) {
		if p.Flags&(flow.SYN|flow.ACK) != flow.SYN {
			return
		}
		from, to := p.Key.Address(p.From), p.Key.Address(p.From.Other())
		if name := fmt.Sprint(from, to, p.Seq); !known[name] {
			known[name] = true
			out[hosts[from.Addr()]+">"+hosts[to.Addr()]]++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func frames(file string, each func(linger.Instant, *flow.Packet)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	files, err := pcap.Open([]pcap.Input{{Name: file, From: f}})
	if err != nil {
		return err
	}
	for {
		frame, err := files.Next()
		if err != nil {
			return nil
		}
		var p flow.Packet
		if p.Parse(frame.Data, frame.Wire) == nil && p.Transport && p.Key.Protocol() == flow.TCP {
			each(frame.At, &p)
		}
	}
}
