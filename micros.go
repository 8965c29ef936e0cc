package linger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Micros is a length of time as documents have it: a number of microseconds, with as
// many decimals, up to three, as its nanoseconds need: 12.345. An Instant is written in
// the same way, and so is an Opt of a time.Duration.
//
// What is written is read to the nanosecond. Programs that hold numbers as float64, as
// JavaScript does, have all nanoseconds up to 2^43 µs, which is 101 days, and are off
// by less than 4 ns up to a year.
type Micros time.Duration

// MarshalJSON writes microseconds.
func (m Micros) MarshalJSON() ([]byte, error) { return m.Append(nil), nil }

// UnmarshalJSON reads microseconds.
//
// It reads to the nearest nanosecond; null leaves what is there, as encoding/json has it.
func (m *Micros) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	// Put together, the digits are nanoseconds.
	whole, decimals, _ := bytes.Cut(b, []byte("."))
	if len(decimals) <= len("000") {
		var digits [24]byte
		text := append(append(append(digits[:0], whole...), decimals...), "000"[len(decimals):]...)
		if ns, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			*m = Micros(ns)
			return nil
		}
	}
	// An exponent, or more decimals than nanoseconds have: the result of a calculation.
	us, err := strconv.ParseFloat(string(b), 64)
	ns := math.Round(us * 1000)
	if err != nil || !(math.Abs(ns) < 1<<63) {
		return fmt.Errorf("%.40q is no number of microseconds", b)
	}
	*m = Micros(ns)
	return nil
}

// MarshalJSON writes microseconds, as Micros.
func (t Instant) MarshalJSON() ([]byte, error) { return Micros(t).Append(nil), nil }

// UnmarshalJSON reads microseconds, as Micros.
func (t *Instant) UnmarshalJSON(b []byte) error { return (*Micros)(t).UnmarshalJSON(b) }

// Append appends what MarshalJSON writes.
func (m Micros) Append(to []byte) []byte {
	size := uint64(m)
	if m < 0 {
		to, size = append(to, '-'), -size
	}
	to = strconv.AppendUint(to, size/1000, 10)
	rest := size % 1000
	if rest == 0 {
		return to
	}
	to = append(to, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
	for to[len(to)-1] == '0' {
		to = to[:len(to)-1]
	}
	return to
}

// In documents lengths of time are Micros; what has some is written and read as if they
// were of that type.

// MarshalJSON writes the network with its lengths of time in microseconds.
func (n Network) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name  string  `json:"name"`
		RTT   Micros  `json:"rtt_us"`
		Down  Rate    `json:"down_bps"`
		Up    Rate    `json:"up_bps"`
		Loss  float64 `json:"loss"`
		Queue Micros  `json:"queue_us"`
	}{n.Name, Micros(n.RTT), n.Down, n.Up, n.Loss, Micros(n.Queue)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Network) UnmarshalJSON(b []byte) error {
	type plain Network
	return json.Unmarshal(b, &struct {
		*plain
		RTT   *Micros `json:"rtt_us"`
		Queue *Micros `json:"queue_us"`
	}{(*plain)(n), (*Micros)(&n.RTT), (*Micros)(&n.Queue)})
}

// MarshalJSON writes the strategy with its lengths of time in microseconds.
func (s Strategy) MarshalJSON() ([]byte, error) {
	type plain Strategy
	return json.Marshal(struct {
		plain
		IdleTimeout Micros `json:"idle_timeout_us,omitempty"`
	}{plain(s), Micros(s.IdleTimeout)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Strategy) UnmarshalJSON(b []byte) error {
	type plain Strategy
	return json.Unmarshal(b, &struct {
		*plain
		IdleTimeout *Micros `json:"idle_timeout_us"`
	}{(*plain)(s), (*Micros)(&s.IdleTimeout)})
}

// MarshalJSON writes the exchange with its lengths of time in microseconds.
func (e Exchange) MarshalJSON() ([]byte, error) {
	type plain Exchange
	return json.Marshal(struct {
		plain
		Think Micros `json:"think_us,omitempty"`
		Delay Micros `json:"delay_us,omitempty"`
	}{plain(e), Micros(e.Think), Micros(e.Delay)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Exchange) UnmarshalJSON(b []byte) error {
	type plain Exchange
	return json.Unmarshal(b, &struct {
		*plain
		Think *Micros `json:"think_us"`
		Delay *Micros `json:"delay_us"`
	}{(*plain)(e), (*Micros)(&e.Think), (*Micros)(&e.Delay)})
}

// MarshalJSON writes the crowd with its lengths of time in microseconds.
func (c Crowd) MarshalJSON() ([]byte, error) {
	type plain Crowd
	return json.Marshal(struct {
		plain
		Duration  Micros `json:"duration_us,omitempty"`
		AddAt     Micros `json:"add_backend_us,omitempty"`
		RestartAt Micros `json:"restart_backend_us,omitempty"`
	}{plain(c), Micros(c.Duration), Micros(c.AddAt), Micros(c.RestartAt)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Crowd) UnmarshalJSON(b []byte) error {
	type plain Crowd
	return json.Unmarshal(b, &struct {
		*plain
		Duration  *Micros `json:"duration_us"`
		AddAt     *Micros `json:"add_backend_us"`
		RestartAt *Micros `json:"restart_backend_us"`
	}{(*plain)(c), (*Micros)(&c.Duration), (*Micros)(&c.AddAt), (*Micros)(&c.RestartAt)})
}

// MarshalJSON writes the think time in microseconds.
func (t Think) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Least  Micros `json:"least_us"`
		Most   Micros `json:"most_us,omitempty"`
		Random bool   `json:"random,omitempty"`
	}{Micros(t.Least), Micros(t.Most), t.Random})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Think) UnmarshalJSON(b []byte) error {
	type plain Think
	return json.Unmarshal(b, &struct {
		*plain
		Least *Micros `json:"least_us"`
		Most  *Micros `json:"most_us"`
	}{(*plain)(t), (*Micros)(&t.Least), (*Micros)(&t.Most)})
}
