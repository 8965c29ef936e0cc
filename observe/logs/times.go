package logs

import (
	"fmt"
	"time"
)

// ParseZone reads +02:00, or a name; nothing is UTC.
func ParseZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if t, err := time.Parse("-07:00", name); err == nil {
		return t.Location(), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is no zone; write +02:00, or a name as Europe/Berlin", name)
	}
	return zone, nil
}

// ParseTime reads a time or a day; nothing is the zero Time.
func ParseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		if t, err = time.Parse(time.DateOnly, text); err != nil {
			return t, fmt.Errorf("%q is no time; write 2006-01-02T15:04:05Z", text)
		}
	}
	return t, nil
}
