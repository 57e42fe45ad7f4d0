"""SimpNet V2: its table, its Keras form, and the released weights with their card."""
