package rig

import (
	"io"
	"path/filepath"
	"strings"

	"linger"
	"linger/capture/har"
	"linger/fault"
	"linger/infer"
)

// ReadWorkload reads a workload of a file by that name: an HTTP Archive, or a list of exchanges.
// The notes say what was guessed, a sentence each.
func ReadWorkload(path string, f io.Reader) (w linger.Workload, notes []string, err error) {
	name := filepath.Base(path)
	if !IsHAR(path) {
		if w, err = linger.ParseList(name, f); err != nil {
			err = fault.Usage("%s: %w", name, err)
		}
		return w, nil, err
	}
	t, err := har.Read(f)
	if err != nil {
		return w, nil, fault.Usage("%s: %w", name, err)
	}
	if w, notes, err = infer.Workload(t); err != nil {
		return w, nil, fault.Usage("%s: %w", name, err)
	}
	if w.Name == t.Workload { // not a name of its own
		w.Name = name
	}
	return w, notes, nil
}

// IsHAR reports whether a file is an HTTP Archive, as it is or packed; .zhar is mitmproxy's.
func IsHAR(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".har") || strings.HasSuffix(name, ".har.gz") || strings.HasSuffix(name, ".zhar")
}
