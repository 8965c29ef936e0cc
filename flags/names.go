package flags

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/console"
	"linger/dns"
	"linger/fault"
)

// NamesFlags say what is looked up, and how it is answered; the same in every verb.
type NamesFlags struct {
	Names      string `placeholder:"FILE" help:"Of dns: look these up, a name and a type a line, as dnsperf reads them."`
	Rate       string `placeholder:"N/s" help:"Begin at most N queries of dns a second, or requests to a URL's server; of dns with --for, so many on average, at random."`
	For        string `placeholder:"D" help:"Of dns: go on for so long, the names again and again; needs --rate."`
	AnswerSize int    `placeholder:"BYTES" help:"Of dns: how long the origin's answers are; over 1232 they do not fit into a datagram."`
	Delay      string `placeholder:"D" help:"Of dns: how long the origin waits before each answer."`
}

// Apply returns the workload with the names, the rate and the answers that the flags
// ask for, and the least time between two queries.
func (f NamesFlags) Apply(ctx context.Context, w linger.Workload, seed uint64) (out linger.Workload, pace time.Duration, err error) {
	if w.Scheme != linger.SchemeDNS {
		if words := f.Words(); len(words) > 0 {
			return w, 0, fault.Usage("%s is for names; use it with the workload dns", words[0])
		}
		return w, 0, nil
	}
	if f.Names != "" {
		if w, err = ReadNames(ctx, f.Names); err != nil {
			return w, 0, err
		}
	}
	for i, e := range w.Exchanges {
		if _, err := dns.Ask(e.Query, dns.Options{}); err != nil {
			return w, 0, fault.Usage("--names: query %d, %s: %w", i+1, e.Query, err)
		}
	}
	var delay time.Duration
	if f.Delay != "" {
		if delay, err = Duration(f.Delay); err != nil || delay < 0 || delay > linger.MaxThink {
			return w, 0, fault.Usage("--delay: %q is not a time to wait; write 20ms", f.Delay)
		}
	}
	if f.AnswerSize < 0 || f.AnswerSize > linger.MaxMessage {
		return w, 0, fault.Usage("--answer-size: %d; give 1 to %d bytes, or 0 for one record", f.AnswerSize, linger.MaxMessage)
	}
	exchanges := make([]linger.Exchange, len(w.Exchanges))
	for i, e := range w.Exchanges {
		e.ResponseBody, e.Delay = int64(f.AnswerSize), delay
		exchanges[i] = e
	}
	w.Exchanges = exchanges
	if f.Rate == "" {
		if f.For != "" {
			return w, 0, fault.Usage("--for goes with --rate: how many queries a second, as --rate 50/s")
		}
		return w, 0, nil
	}
	rate, err := Pace(f.Rate)
	if err != nil {
		return w, 0, err
	}
	if f.For == "" {
		return w, time.Duration(float64(time.Second) / rate), nil
	}
	lasting, err := Duration(f.For)
	if err == nil {
		w, err = w.AtRate(rate, lasting, seed)
	}
	if err != nil {
		return w, 0, fault.Usage("--rate, --for: %w", err)
	}
	return w, 0, nil
}

// Pace reads how many queries or requests a second.
func Pace(s string) (float64, error) {
	rate, err := strconv.ParseFloat(strings.TrimSuffix(s, "/s"), 64)
	if err != nil || !(rate > 0) || rate > 1e6 {
		return 0, fault.Usage("--rate: %q is not a rate; write 50/s", s)
	}
	return rate, nil
}

// ReadNames reads a list of names.
func ReadNames(ctx context.Context, file string) (linger.Workload, error) {
	f, err := console.OpenInput(ctx, file, nil)
	if err != nil {
		return linger.Workload{}, fault.Usage("--names: %w", err)
	}
	defer f.Close()
	if f.Info.IsDir() {
		return linger.Workload{}, fault.Usage("--names: %s is a folder; give a list of names", file)
	}
	w, err := linger.ParseNames(filepath.Base(file), f)
	if err != nil {
		return w, fault.Usage("--names: %s: %w", filepath.Base(file), err)
	}
	return w, nil
}

// Words are the flags that were given.
func (f NamesFlags) Words() []string {
	words := Settings([][3]string{{"--names", f.Names, ""}, {"--rate", f.Rate, ""}, {"--for", f.For, ""}, {"--delay", f.Delay, ""}})
	if f.AnswerSize != 0 {
		words = append(words, "--answer-size", fmt.Sprint(f.AnswerSize))
	}
	return words
}
