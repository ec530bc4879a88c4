# SPDX-License-Identifier: MIT
#
# Functions for tests that move the small guest of tests/guests/mover (added as /guest/mover):
#
#	mover m1 2 "balloon dirty=64"	creates m1 with two vcpus and these words; then lines of its
#					configuration
#	said m1 beat			what it says of itself: beat, moves, resumed, wrong, ...
#	beats m1			it runs on, and found nothing damaged

mover() {
	cat >/root/$1.cfg <<X
name = "$1"
kernel = "/guest/mover"
memory = $((8 + 2 * $2))
vcpus = $2
on_poweroff = "destroy"
on_crash = "preserve"
extra = "$3"
$4
X
	kl create -q /root/$1.cfg && within 20 said $1 beat
}

said() {
	xenstore-read /local/domain/$(kl domid $1)/data/$2
}

further() {
	[ "$(said $1 beat)" -gt $2 ]
}

beats() {
	within 10 further $1 $(said $1 beat) && [ "$(said $1 wrong)" = 0 ]
}
