//go:build wasip1

package main

import (
	"encoding/json"
	"unsafe"
)

// A page calls, in this order: text, and writes the request there; prepare; advance
// until it returns 0; answer, place, and reads as many bytes from there.

var (
	buffer  []byte // what both sides see
	current *session
)

// text makes room for n bytes, and returns where it is.
//
//go:wasmexport text
func text(n int32) unsafe.Pointer {
	buffer = make([]byte, max(1, n))
	return unsafe.Pointer(unsafe.SliceData(buffer))
}

// prepare reads the request; 1 is that it can be answered.
//
//go:wasmexport prepare
func prepare() int32 {
	s, err := begin(buffer)
	if current = s; err != nil {
		current = nil
		buffer, _ = json.Marshal(map[string]string{"error": err.Error()})
		return 0
	}
	return 1
}

// advance predicts one trial; 0 is that there is nothing left to do.
//
//go:wasmexport advance
func advance() int32 {
	if current != nil && current.step() {
		return 1
	}
	return 0
}

// answer makes ready what was predicted, or why nothing was, and returns its length.
//
//go:wasmexport answer
func answer() int32 {
	if current != nil {
		out, err := current.result()
		if err != nil {
			out, _ = json.Marshal(map[string]string{"error": err.Error()})
		}
		buffer, current = out, nil
	}
	return int32(len(buffer))
}

// place returns where the answer is.
//
//go:wasmexport place
func place() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(buffer)) }
