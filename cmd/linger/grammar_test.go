package main

import (
	"testing"

	"linger"
	"linger/ask"
	"linger/dial"
	"linger/flags"
	"linger/keepalive"
	"linger/origin/misbehave"
	"linger/rig"
)

// FuzzGrammars reads a text by every grammar that a flag or an argument has. Whatever it is,
// what is wrong with it is said, and what it says is in range.
func FuzzGrammars(f *testing.F) {
	for _, s := range []string{
		"client=90s,https://lb,http://app:8080", "a=nginx,a.idle=75s,a.rtt=20ms,=,", "http://]0=1", "x.upstream=0s,x.software=",
		"h2+0rtt,close:6,tcp+pipeline:3", "keep:6+resume+tfo", "doh+get:0", "udp:99999999999999999999",
		"20ms..600ms", "1mbit..1gbit", "0%,1%,100.1%", "1e400mbit", "-1ms", "12mbit", "0x1p-2%",
		"example.com:443=127.0.0.1:80", "a:1:[::1]:2", "Host: a\r\nX: y", "X;", "Accept:",
		"objects:3:10", "gallery", "textbook:1e9", "cut:5", "silent", "1s,1m..2m", "50/s", "0/s", "NaN/s", "Inf/s",
		"https://dns.example/dns-query", "192.0.2.1:53", "[::1]:0", "dot=1.1.1.1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check := func(grammar string, err error) bool {
			if err != nil && err.Error() == "" {
				t.Errorf("%s: %q is wrong, and nothing says why", grammar, s)
			}
			return err == nil
		}
		links, err := keepalive.ParseChain(s)
		if check("--chain", err) && len(links) == 0 {
			t.Errorf("%q is a chain of nothing", s)
		}
		if _, err := flags.Duration(s); true {
			check("a duration", err)
		}
		if pace, err := flags.Pace(s); check("--rate", err) && !(pace > 0 && pace < 1e12) {
			t.Errorf("%q is a pace of %v", s, pace)
		}
		if pauses, err := flags.Pauses(s); check("pauses", err) {
			for _, p := range pauses {
				if p < 0 {
					t.Errorf("%q is a pause of %v", s, p)
				}
			}
		}
		_, err = rig.ParseResolver(s)
		check("--server", err)
		_, err = ask.ParseField(s)
		check("-H", err)
		_, err = dial.ParsePin(s)
		check("--resolve", err)
		_, err = dial.ParseDetour(s)
		check("--connect-to", err)
		_, err = misbehave.Parse(s)
		check("--misbehave", err)
		if strategies, err := linger.ParseStrategies(s); check("-s", err) {
			for _, one := range strategies {
				if again, err := linger.ParseStrategy(one.Name); err != nil || again != one {
					t.Errorf("%q is %+v, and again %+v, %v", one.Name, one, again, err)
				}
			}
		}
		if rate, err := linger.ParseRate(s); check("--down", err) && rate < 0 {
			t.Errorf("%q is a rate of %v", s, rate)
		}
		if loss, err := linger.ParseLoss(s); check("--loss", err) && !(loss >= 0 && loss <= 1) {
			t.Errorf("%q is a loss of %v", s, loss)
		}
		_, err = linger.ParseNetwork(s)
		check("--network", err)
		_, err = linger.ParseWorkload(s, 1)
		check("a workload", err)
		for grammar, n := range map[string]func() (int, error){
			"--rtt":  func() (int, error) { all, err := linger.ParseRTTs(s, 8); return len(all), err },
			"--down": func() (int, error) { all, err := linger.ParseRates(s, 8); return len(all), err },
			"--loss": func() (int, error) { all, err := linger.ParseLosses(s, 8); return len(all), err },
		} {
			if n, err := n(); check(grammar, err) && n == 0 {
				t.Errorf("%s of %q is nothing", grammar, s)
			}
		}
	})
}
