"""SimpNet V2: its architecture, its Keras form, and the released weights with their card."""
