package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseRate reads the rates of an open loop: "500", "500/s", "30000/m"; for a time, "500/s:30s";
// growing, "100..1000/s:60s"; and several in a row, "100/s:10s,200/s:10s". ParseRate("") is none.
func ParseRate(s string) ([]Stage, error) {
	if s == "" {
		return nil, nil
	}
	var out []Stage
	for item := range strings.SplitSeq(s, ",") {
		stage, err := parseStage(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		out = append(out, stage)
	}
	return out, Plan{Stages: out, Requests: 1}.Check()
}

func parseStage(s string) (Stage, error) {
	wrong := fmt.Errorf("rate %q: write 500/s, 100..1000/s:60s to grow, 100/s:10s,200/s:10s for steps", s)
	rates, last, timed := strings.Cut(s, ":")
	var out Stage
	if timed {
		d, err := time.ParseDuration(last)
		if err != nil || d <= 0 {
			return Stage{}, wrong
		}
		out.Time = d
	}
	per := 1.0
	if before, ok := strings.CutSuffix(rates, "/s"); ok {
		rates = before
	} else if before, ok := strings.CutSuffix(rates, "/m"); ok {
		rates, per = before, 60
	}
	from, to, grows := strings.Cut(rates, "..")
	if !grows {
		to = from
	}
	for _, one := range []struct {
		text string
		to   *float64
	}{{from, &out.From}, {to, &out.To}} {
		v, err := strconv.ParseFloat(one.text, 64)
		if err != nil || !(v >= 0 && v/per <= maxRate) {
			return Stage{}, wrong
		}
		*one.to = v / per
	}
	return out, nil
}

// ParseRange reads requests per connection: "100", or "50:150".
func ParseRange(s string) (Range, error) {
	least, most, ranged := strings.Cut(s, ":")
	if !ranged {
		most = least
	}
	a, err := strconv.Atoi(least)
	b, other := strconv.Atoi(most)
	if err != nil || other != nil || a < 1 || b < a {
		return Range{}, fmt.Errorf("requests per connection %q: write a number from 1 on, or two as 50:150", s)
	}
	return Range{a, b}, nil
}
