package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/dns"
)

// namesFlags say what is looked up, and how it is answered; the same in every verb.
type namesFlags struct {
	Names      string `placeholder:"FILE" help:"Of dns: look these up, a name and a type a line, as dnsperf reads them."`
	Rate       string `placeholder:"N/s" help:"Begin at most N queries of dns a second, or requests to a URL's server; of dns with --for, so many on average, at random."`
	For        string `placeholder:"D" help:"Of dns: go on for so long, the names again and again; needs --rate."`
	AnswerSize int    `placeholder:"BYTES" help:"Of dns: how long the origin's answers are; over 1232 they do not fit into a datagram."`
	Delay      string `placeholder:"D" help:"Of dns: how long the origin waits before each answer."`
}

// apply returns the workload with the names, the rate and the answers that the flags
// ask for, and the least time between two queries.
func (f namesFlags) apply(w linger.Workload, seed uint64) (out linger.Workload, pace time.Duration, err error) {
	if w.Scheme != linger.SchemeDNS {
		if words := f.words(); len(words) > 0 {
			return w, 0, usage("%s is for names; use it with the workload dns", words[0])
		}
		return w, 0, nil
	}
	if f.Names != "" {
		if w, err = readNames(f.Names); err != nil {
			return w, 0, err
		}
	}
	for i, e := range w.Exchanges {
		if _, err := dns.Ask(e.Query, dns.Options{}); err != nil {
			return w, 0, usage("--names: query %d, %s: %w", i+1, e.Query, err)
		}
	}
	var delay time.Duration
	if f.Delay != "" {
		if delay, err = parseDuration(f.Delay); err != nil || delay < 0 || delay > linger.MaxThink {
			return w, 0, usage("--delay: %q is not a time to wait; write 20ms", f.Delay)
		}
	}
	if f.AnswerSize < 0 || f.AnswerSize > linger.MaxMessage {
		return w, 0, usage("--answer-size: %d; give 1 to %d bytes, or 0 for one record", f.AnswerSize, linger.MaxMessage)
	}
	exchanges := make([]linger.Exchange, len(w.Exchanges))
	for i, e := range w.Exchanges {
		e.ResponseBody, e.Delay = int64(f.AnswerSize), delay
		exchanges[i] = e
	}
	w.Exchanges = exchanges
	if f.Rate == "" {
		if f.For != "" {
			return w, 0, usage("--for goes with --rate: how many queries a second, as --rate 50/s")
		}
		return w, 0, nil
	}
	rate, err := parsePace(f.Rate)
	if err != nil {
		return w, 0, err
	}
	if f.For == "" {
		return w, time.Duration(float64(time.Second) / rate), nil
	}
	lasting, err := parseDuration(f.For)
	if err == nil {
		w, err = w.AtRate(rate, lasting, seed)
	}
	if err != nil {
		return w, 0, usage("--rate, --for: %w", err)
	}
	return w, 0, nil
}

// parsePace reads how many queries or requests a second.
func parsePace(s string) (float64, error) {
	rate, err := strconv.ParseFloat(strings.TrimSuffix(s, "/s"), 64)
	if err != nil || !(rate > 0) || rate > 1e6 {
		return 0, usage("--rate: %q is not a rate; write 50/s", s)
	}
	return rate, nil
}

// readNames reads a list of names.
func readNames(file string) (linger.Workload, error) {
	f, err := os.Open(file)
	if err != nil {
		return linger.Workload{}, usage("--names: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return linger.Workload{}, usage("--names: %s is a folder; give a list of names", file)
	}
	w, err := linger.ParseNames(filepath.Base(file), f)
	if err != nil {
		return w, usage("--names: %s: %w", filepath.Base(file), err)
	}
	return w, nil
}

// words are the flags that were given.
func (f namesFlags) words() []string {
	var words []string
	for _, part := range []struct{ flag, value string }{
		{"--names", f.Names}, {"--rate", f.Rate}, {"--for", f.For}, {"--delay", f.Delay},
	} {
		if part.value != "" {
			words = append(words, part.flag, quote(part.value))
		}
	}
	if f.AnswerSize != 0 {
		words = append(words, "--answer-size", fmt.Sprint(f.AnswerSize))
	}
	return words
}
