package predict

import (
	"testing"
)

func TestFlights(t *testing.T) {
	for _, test := range []struct {
		size, window int64
		n            int
		last         int64
	}{
		{1, 14_600, 1, 14_600},
		{14_600, 14_600, 1, 14_600},
		{14_601, 14_600, 2, 29_200},
		{43_800, 14_600, 2, 29_200}, // 10 segments and 20
		{43_801, 14_600, 3, 58_400},
		{1_000_000, 14_600, 7, 934_400},
		{100_000, 116_800, 1, 116_800},
	} {
		if n, last := flights(test.size, test.window); n != test.n || last != test.last {
			t.Errorf("%d bytes from %d on: %d flights, window %d; want %d, %d", test.size, test.window, n, last, test.n, test.last)
		}
	}
}
