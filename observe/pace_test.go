package observe

import "testing"

// A small heap grows freely, a large one by a tenth, and in between to a fixed size.
func TestPaceGivesRoomWhileThereIsSome(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, 800}, {1 << 20, 800}, {8 << 20, 700}, {16 << 20, 500}, {32 << 20, 400}, {80 << 20, 100}, {128 << 20, 25},
		{150 << 20, 10}, {160 << 20, 10}, {1 << 30, 10},
	} {
		if got := growth(c.live); got != c.want {
			t.Errorf("%d MiB may grow by %d %%, want %d", c.live>>20, got, c.want)
		}
		if room := c.live + c.live*uint64(growth(c.live))/100; room > max(spacious, c.live+c.live/tenth) {
			t.Errorf("%d MiB may become %d", c.live>>20, room>>20)
		}
	}
}
